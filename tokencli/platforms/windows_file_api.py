"""The functions of Windows for access lists, encryption and files; see `FileCalls` in `windows_files.py`.

It needs Windows to be imported. A warm `get` loads it, so it imports little.
"""

import ctypes
import msvcrt
import os
import sys
from ctypes import wintypes

assert sys.platform == "win32"

TYPE_CHECKING = False  # importing typing would slow down a warm `get`
if TYPE_CHECKING:
    from typing import Any

_SHARE_ALL = 1 | 2 | 4
"""FILE_SHARE_READ, FILE_SHARE_WRITE and FILE_SHARE_DELETE: others may even rename or delete it."""
_GENERIC_READ, _GENERIC_WRITE, _READ_CONTROL = 1 << 31, 1 << 30, 0x20000
_CREATE_NEW, _OPEN_EXISTING, _OPEN_ALWAYS, _NORMAL = 1, 3, 4, 0x80
_BACKUP_SEMANTICS, _OPEN_REPARSE_POINT = 0x02000000, 0x00200000
_FILE_OBJECT = 1
_OWNER, _DACL, _PROTECTED_DACL = 1, 4, 0x80000000
_TOKEN_QUERY, _TOKEN_USER = 8, 1
_FILE_BASIC_INFO = 0
_UI_FORBIDDEN = 1
_DENYING_TYPES = (1, 6, 10, 12)
"""ACCESS_DENIED_ACE_TYPE and its variants."""
_LOCAL_APP_DATA = "{F1B32785-6FBA-4FCF-9D55-7B8E7F157091}"
_Grant = tuple[str, int]
_functions: "dict[tuple[str, str], Any]" = {}


class _SecurityAttributes(ctypes.Structure):
    _fields_ = (
        ("length", wintypes.DWORD),
        ("descriptor", ctypes.c_void_p),
        ("inherit", wintypes.BOOL),
    )


class _Blob(ctypes.Structure):
    _fields_ = (("size", wintypes.DWORD), ("data", ctypes.c_void_p))


class _BasicInfo(ctypes.Structure):
    _fields_ = (
        ("creation_time", ctypes.c_int64),
        ("access_time", ctypes.c_int64),
        ("write_time", ctypes.c_int64),
        ("change_time", ctypes.c_int64),
        ("attributes", wintypes.DWORD),
    )


class _AceHeader(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_ubyte),
        ("flags", ctypes.c_ubyte),
        ("size", ctypes.c_ushort),
        ("mask", wintypes.DWORD),
    )


class _AclHeader(ctypes.Structure):
    _fields_ = (
        ("revision", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("size", ctypes.c_ushort),
        ("count", ctypes.c_ushort),
        ("reserved_2", ctypes.c_ushort),
    )


class WindowsFileApi:
    """Calls the functions themselves; each raises OSError with the code of Windows."""

    def __init__(self) -> None:
        self._user_sid = ""

    def user_sid(self) -> str:
        """Return the security identifier of this process's user (GetTokenInformation)."""
        if not self._user_sid:
            self._user_sid = _read_user_sid()
        return self._user_sid

    def account_name(self, sid: str) -> str | None:
        r"""Return the name of an account as `DOMAIN\name`, or None if it is unknown (LookupAccountSid)."""
        pointer = ctypes.c_void_p()
        if not _get("advapi32", "ConvertStringSidToSidW")(sid, ctypes.byref(pointer)):
            return None
        try:
            name, domain = ctypes.create_unicode_buffer(257), ctypes.create_unicode_buffer(257)
            sizes = wintypes.DWORD(257), wintypes.DWORD(257)
            use = wintypes.DWORD()
            found = _get("advapi32", "LookupAccountSidW")(
                None,
                pointer,
                name,
                ctypes.byref(sizes[0]),
                domain,
                ctypes.byref(sizes[1]),
                ctypes.byref(use),
            )
        finally:
            _free(pointer)
        if not found:
            return None
        return f"{domain.value}\\{name.value}" if domain.value else name.value

    def open_file(self, path: str, flags: int, descriptor: str | None = None) -> int:
        """Open the file itself, not what a link leads to (CreateFile); return a file descriptor.

        `flags` are those of `os.open`. A file that is created gets the security descriptor (SDDL).
        Meanwhile others may read, replace and delete the file.
        """
        access = _GENERIC_READ | (_GENERIC_WRITE if flags & (os.O_RDWR | os.O_WRONLY) else 0)
        attributes, pointer = None, ctypes.c_void_p()
        disposition = _OPEN_EXISTING
        if flags & os.O_CREAT:
            disposition = _CREATE_NEW if flags & os.O_EXCL else _OPEN_ALWAYS
            if descriptor is not None:
                attributes, pointer = _security_attributes(descriptor)
        try:
            handle = _create_file(
                path,
                access,
                attributes=attributes,
                disposition=disposition,
                flags=_OPEN_REPARSE_POINT | _NORMAL,
            )
        finally:
            _free(pointer)
        kept = flags & (os.O_RDWR | os.O_WRONLY | os.O_APPEND)
        return msvcrt.open_osfhandle(handle, kept | os.O_BINARY | os.O_NOINHERIT)

    def create_directory(self, path: str, descriptor: str) -> None:
        """Create a directory with that security descriptor (SDDL)."""
        attributes, pointer = _security_attributes(descriptor)
        try:
            _check(_get("kernel32", "CreateDirectoryW")(path, ctypes.byref(attributes)))
        finally:
            _free(pointer)

    def set_access(self, path: str, descriptor: str) -> None:
        """Replace the access list of a file or directory by that of `descriptor` (SDDL).

        Nothing is inherited any more, and what is inside isn't changed (SetFileSecurity).
        """
        pointer = _parse_descriptor(descriptor)
        try:
            information = _DACL | _PROTECTED_DACL
            _check(_get("advapi32", "SetFileSecurityW")(path, information, pointer))
        finally:
            _free(pointer)

    def read_access(self, file: str | int) -> tuple[str, list[_Grant] | None]:
        """Return the owner of a file and who is granted which rights.

        Without an access list, everyone has all rights, and the second value is None.
        `file` is a descriptor, or a path whose last link is not followed. Owner and grantees are
        security identifiers (GetSecurityInfo).
        """
        handle = (
            msvcrt.get_osfhandle(file)
            if isinstance(file, int)
            else _open_handle(file, _READ_CONTROL, _OPEN_REPARSE_POINT | _BACKUP_SEMANTICS)
        )
        owner, acl, descriptor = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        try:
            _check_code(
                _get("advapi32", "GetSecurityInfo")(
                    handle,
                    _FILE_OBJECT,
                    _OWNER | _DACL,
                    ctypes.byref(owner),
                    None,
                    ctypes.byref(acl),
                    None,
                    ctypes.byref(descriptor),
                )
            )
            return _sid_to_text(owner), _list_grants(acl) if acl.value else None
        finally:
            _free(descriptor)
            if not isinstance(file, int):
                _get("kernel32", "CloseHandle")(handle)

    def change_time(self, file: int) -> int:
        """Return when an open file's content or attributes were changed, in 100 ns (FILE_BASIC_INFO)."""
        info = _BasicInfo()
        _check(
            _get("kernel32", "GetFileInformationByHandleEx")(
                msvcrt.get_osfhandle(file),
                _FILE_BASIC_INFO,
                ctypes.byref(info),
                ctypes.sizeof(info),
            )
        )
        return int(info.change_time)

    def protect(self, data: bytes, description: str, entropy: bytes) -> bytes:
        """Encrypt `data` so that only this user can decrypt it (CryptProtectData)."""
        source, salt, result = _to_blob(data), _to_blob(entropy), _Blob()
        _check(
            _get("crypt32", "CryptProtectData")(
                ctypes.byref(source),
                description,
                ctypes.byref(salt),
                None,
                None,
                _UI_FORBIDDEN,
                ctypes.byref(result),
            )
        )
        return _take_blob(result)

    def unprotect(self, data: bytes, entropy: bytes) -> bytes:
        """Decrypt what `protect` returned with the same `entropy` (CryptUnprotectData)."""
        source, salt, result = _to_blob(data), _to_blob(entropy), _Blob()
        _check(
            _get("crypt32", "CryptUnprotectData")(
                ctypes.byref(source),
                None,
                ctypes.byref(salt),
                None,
                None,
                _UI_FORBIDDEN,
                ctypes.byref(result),
            )
        )
        return _take_blob(result)

    def local_app_data(self) -> str:
        """Return the user's directory for data of this machine (SHGetKnownFolderPath)."""
        folder_id, pointer = (ctypes.c_ubyte * 16)(), ctypes.c_void_p()
        _check_result(_get("ole32", "CLSIDFromString")(_LOCAL_APP_DATA, ctypes.byref(folder_id)))
        try:
            _check_result(
                _get("shell32", "SHGetKnownFolderPath")(
                    ctypes.byref(folder_id), 0, None, ctypes.byref(pointer)
                )
            )
            return ctypes.wstring_at(pointer.value or 0)
        finally:
            _get("ole32", "CoTaskMemFree")(pointer)


_HANDLE, _POINTER, _TEXT, _NUMBER = (
    wintypes.HANDLE, ctypes.c_void_p, wintypes.LPCWSTR, wintypes.DWORD,
)  # fmt: skip
_TRUTH, _RESULT = wintypes.BOOL, ctypes.c_long
_TYPES: "dict[str, tuple[Any, ...]]" = {
    "CloseHandle": (_TRUTH, _HANDLE),
    "CLSIDFromString": (_RESULT, _TEXT, _POINTER),
    "ConvertSidToStringSidW": (_TRUTH, _POINTER, _POINTER),
    "ConvertStringSecurityDescriptorToSecurityDescriptorW": (
        _TRUTH, _TEXT, _NUMBER, _POINTER, _POINTER,
    ),
    "ConvertStringSidToSidW": (_TRUTH, _TEXT, _POINTER),
    "CoTaskMemFree": (None, _POINTER),
    "CreateDirectoryW": (_TRUTH, _TEXT, _POINTER),
    "CreateFileW": (_HANDLE, _TEXT, _NUMBER, _NUMBER, _POINTER, _NUMBER, _NUMBER, _HANDLE),
    "CryptProtectData": (
        _TRUTH, _POINTER, _TEXT, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER,
    ),
    "CryptUnprotectData": (
        _TRUTH, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER,
    ),
    "GetAce": (_TRUTH, _POINTER, _NUMBER, _POINTER),
    "GetCurrentProcess": (_HANDLE,),
    "GetFileInformationByHandleEx": (_TRUTH, _HANDLE, ctypes.c_int, _POINTER, _NUMBER),
    "GetSecurityInfo": (
        _NUMBER, _HANDLE, ctypes.c_int, _NUMBER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER,
    ),
    "GetTokenInformation": (_TRUTH, _HANDLE, ctypes.c_int, _POINTER, _NUMBER, _POINTER),
    "LocalFree": (_POINTER, _POINTER),
    "LookupAccountSidW": (
        _TRUTH, _TEXT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER,
    ),
    "OpenProcessToken": (_TRUTH, _HANDLE, _NUMBER, _POINTER),
    "SetFileSecurityW": (_TRUTH, _TEXT, _NUMBER, _POINTER),
    "SHGetKnownFolderPath": (_RESULT, _POINTER, _NUMBER, _HANDLE, _POINTER),
}  # fmt: skip
"""Function -> the types of its result and of its arguments."""


def _get(library: str, name: str) -> "Any":
    """Return a function of a library of the system."""
    function = _functions.get((library, name))
    if function is None:
        function = getattr(ctypes.WinDLL(library, use_last_error=True), name)
        function.restype, *function.argtypes = _TYPES[name]
        _functions[library, name] = function
    return function


def _check(succeeded: "Any") -> None:
    if not succeeded:
        raise ctypes.WinError(ctypes.get_last_error())


def _check_code(code: int) -> None:
    """Raise OSError unless a function returned ERROR_SUCCESS."""
    if code:
        raise ctypes.WinError(code)


def _check_result(result: int) -> None:
    """Raise OSError if a HRESULT is a failure."""
    if result < 0:
        raise ctypes.WinError(result & 0xFFFF if result >> 16 & 0x1FFF == 7 else result)


def _free(pointer: "Any") -> None:
    if pointer.value:
        _get("kernel32", "LocalFree")(pointer)


def _open_handle(path: str, access: int, flags: int) -> int:
    return _create_file(path, access, attributes=None, disposition=_OPEN_EXISTING, flags=flags)


def _create_file(path: str, access: int, *, attributes: "Any", disposition: int, flags: int) -> int:
    security = None if attributes is None else ctypes.byref(attributes)
    handle = _get("kernel32", "CreateFileW")(
        path, access, _SHARE_ALL, security, disposition, flags, None
    )
    if handle is None or handle == ctypes.c_void_p(-1).value:
        raise ctypes.WinError(ctypes.get_last_error())
    return int(handle)


def _parse_descriptor(text: str) -> "Any":
    pointer = ctypes.c_void_p()
    _check(
        _get("advapi32", "ConvertStringSecurityDescriptorToSecurityDescriptorW")(
            text, 1, ctypes.byref(pointer), None
        )
    )
    return pointer


def _security_attributes(descriptor: str) -> "tuple[_SecurityAttributes, Any]":
    """Return the argument of functions that create something, and what has to be freed afterwards."""
    pointer = _parse_descriptor(descriptor)
    size = ctypes.sizeof(_SecurityAttributes)
    return _SecurityAttributes(size, pointer.value, False), pointer


def _read_user_sid() -> str:
    token = wintypes.HANDLE()
    process = _get("kernel32", "GetCurrentProcess")()
    _check(_get("advapi32", "OpenProcessToken")(process, _TOKEN_QUERY, ctypes.byref(token)))
    try:
        buffer, size = ctypes.create_string_buffer(256), wintypes.DWORD()
        _check(
            _get("advapi32", "GetTokenInformation")(
                token, _TOKEN_USER, buffer, len(buffer), ctypes.byref(size)
            )
        )
        return _sid_to_text(ctypes.c_void_p.from_buffer(buffer))  # TOKEN_USER begins with a pointer
    finally:
        _get("kernel32", "CloseHandle")(token)


def _sid_to_text(sid: "Any") -> str:
    text = ctypes.c_void_p()
    _check(_get("advapi32", "ConvertSidToStringSidW")(sid, ctypes.byref(text)))
    try:
        return ctypes.wstring_at(text.value or 0)
    finally:
        _free(text)


def _list_grants(acl: "Any") -> list[_Grant]:
    """Return the security identifier and the rights (ACCESS_MASK) of each entry that grants any."""
    grants = []
    for index in range(_AclHeader.from_address(acl.value).count):
        entry = ctypes.c_void_p()
        _check(_get("advapi32", "GetAce")(acl, index, ctypes.byref(entry)))
        header = _AceHeader.from_address(entry.value or 0)
        if header.type in _DENYING_TYPES:
            continue
        sid = ctypes.c_void_p((entry.value or 0) + ctypes.sizeof(_AceHeader))
        grants.append((_sid_to_text(sid), int(header.mask)))
    return grants


def _to_blob(data: bytes) -> _Blob:
    buffer = ctypes.create_string_buffer(data, len(data))
    blob = _Blob(len(data), ctypes.addressof(buffer))
    blob.buffer = buffer  # lives as long as the structure
    return blob


def _take_blob(blob: _Blob) -> bytes:
    """Return the content of a structure that a function has allocated, and free that."""
    try:
        return ctypes.string_at(blob.data, blob.size)
    finally:
        _free(ctypes.c_void_p(blob.data))
