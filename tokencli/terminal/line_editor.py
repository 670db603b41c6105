"""Ask at a capable terminal: with line editing, masked secrets, lists, and reasons while typing.

prompt_toolkit does the editing, pastes and resizes. It never sees stdout. A shell restores the
terminal's modes when a job stops, so they are set again when it continues.
"""

import asyncio
import os
import select
import signal
import textwrap
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from prompt_toolkit.application import Application
from prompt_toolkit.application.run_in_terminal import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Point
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, is_done
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import (
    AnyContainer,
    BufferControl,
    ConditionalContainer,
    Dimension,
    DynamicContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.layout.processors import PasswordProcessor, Processor
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from tokencli import platforms
from tokencli.terminal.line_reader import QUIET_S, discard_typed
from tokencli.terminal.prompts import (
    HELP_HINT,
    HELP_KEY,
    SHOWN_MASK,
    Prompt,
    list_options,
    match_options,
)

MIN_INPUT_COLUMNS = 20
"""If fewer columns are left beside the question, or the answer is longer, it is typed below it."""
MAX_OPTION_ROWS = 12
"""A longer list is scrolled."""
OPTIONS_HINT = "arrow keys, a number or a part of the name"
REASON_DELAY_S = 0.6
"""An answer is checked after such a pause, so that half an answer isn't reported as a mistake."""
# Only colors that are readable on dark and light backgrounds: see `colors`.
_STYLE = Style.from_dict(
    {
        "question": "bold",
        "reason": "ansired",
        "hint": "italic",
        "selected": "noreverse bold ansimagenta",
    }
)


def edit_answer(prompt: Prompt, stdin: TextIO, stderr: TextIO, *, color: bool) -> str:
    """Ask until the answer is valid and return it.

    Raises:
        KeyboardInterrupt: the user cancelled with Ctrl-C or Ctrl-D, or the terminal was closed.
    """
    source = _open_input(stdin)
    if prompt.is_secret:  # what was typed before isn't meant for this prompt
        _discard_input(source, quiet_s=0.0)
    editor = _AnswerEditor(prompt, source, _open_output(stderr), color=color)
    try:
        answer = editor.run()
    except (EOFError, OSError):
        if not source.closed:
            raise
        raise KeyboardInterrupt from None
    finally:
        if prompt.is_secret:  # and what follows may be the rest of the secret
            with source.raw_mode():
                _discard_input(source)
    return answer


class _AnswerEditor:
    """The prompt_toolkit application of one prompt."""

    def __init__(self, prompt: Prompt, source: Input, output: Output, *, color: bool) -> None:
        self._prompt = prompt
        self._input = source
        self._output = output
        self._selected = prompt.default_option
        self._reason: str | None = None
        """Why the text isn't an answer; it changes with the text once it is shown."""
        self._next_check: asyncio.TimerHandle | None = None
        self._shows_help = False
        self._buffer = Buffer(multiline=False, on_text_changed=self._handle_change)
        self._app: Application[str] = Application(
            layout=self._build_layout(),
            key_bindings=self._build_key_bindings(),
            style=_STYLE,
            color_depth=None if color else ColorDepth.DEPTH_1_BIT,
            input=source,
            output=output,
        )

    def run(self) -> str:
        """Return the answer."""
        return self._app.run(pre_run=self._prepare, set_exception_handler=False)

    def _prepare(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._handle_exception)
        if not (platforms.current().has_terminal_modes and _handles_signals()):
            return
        loop.add_signal_handler(signal.SIGCONT, self._handle_continue)
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            loop.add_signal_handler(signal.SIGTSTP, self._suspend, os.getpid())

    def _handle_exception(self, _: object, context: dict[str, Any]) -> None:
        """End the prompt with an exception of a callback, e.g. of a signal handler."""
        error = context.get("exception")
        if error is not None and self._app.future is not None and not self._app.future.done():
            self._app.future.set_exception(error)

    # What is shown

    def _build_layout(self) -> Layout:
        processors: list[Processor] = [PasswordProcessor()] if self._prompt.is_secret else []
        answer = Window(
            BufferControl(self._buffer, input_processors=processors, focus_on_click=False),
            height=1,
            dont_extend_height=True,
        )

        def wrap_question() -> StyleAndTextTuples:
            lines = textwrap.wrap(f"{self._prompt.question}:", self._output.get_size().columns)
            return [("class:question", "\n".join(lines) + " ")]

        question = Window(
            FormattedTextControl(wrap_question),
            wrap_lines=True,
            dont_extend_width=True,
            dont_extend_height=True,
        )
        labels = [get_cwidth(option.label) for option in self._prompt.options]
        needed = max(MIN_INPUT_COLUMNS, *labels) + 1 if labels else MIN_INPUT_COLUMNS
        beside, below = VSplit([question, answer]), HSplit([question, answer])

        def arrange() -> AnyContainer:
            free = self._output.get_size().columns - get_cwidth(self._prompt.question) - 2
            typed = 0 if self._prompt.is_secret else get_cwidth(self._buffer.text) + 1
            return beside if free >= max(needed, typed) else below

        rows: list[AnyContainer] = [DynamicContainer(arrange)]
        if self._prompt.options:
            rows.append(self._build_option_list())
        rows.append(
            ConditionalContainer(
                Window(
                    FormattedTextControl(self._render_message),
                    wrap_lines=True,
                    dont_extend_height=True,
                ),
                ~is_done & Condition(lambda: bool(self._render_message())),
            )
        )
        return Layout(HSplit(rows), focused_element=answer)

    def _build_option_list(self) -> AnyContainer:
        lines = list_options(self._prompt.options)

        def render() -> StyleAndTextTuples:
            shown: StyleAndTextTuples = []
            for index in self._matches():
                is_selected = index == self._selected
                style, mark = ("class:selected", ">") if is_selected else ("", " ")
                shown.append((style, ("\n" if shown else "") + f"{mark} {lines[index]}"))
            return shown

        def find_cursor() -> Point:
            matches = self._matches()
            return Point(0, matches.index(self._selected) if self._selected in matches else 0)

        control = FormattedTextControl(render, show_cursor=False, get_cursor_position=find_cursor)
        return ConditionalContainer(
            Window(control, height=Dimension(max=MAX_OPTION_ROWS), dont_extend_height=True),
            ~is_done & Condition(lambda: bool(self._matches())),
        )

    def _render_message(self) -> StyleAndTextTuples:
        if self._prompt.help and self._shows_help:
            return [("", self._prompt.help)]
        if self._reason:
            return [("class:reason", self._reason)]
        hints = [OPTIONS_HINT] if self._prompt.options else []
        hints += [HELP_HINT] if self._prompt.help else []
        return [("class:hint", "; ".join(hints))] if hints and not self._buffer.text else []

    def _update_reason(self) -> None:
        """Check what is typed so far. That nothing is typed yet is no mistake."""
        text = self._buffer.text
        is_choice = bool(match_options(self._prompt.options, text))
        self._reason = None if is_choice or not text else self._prompt.check(text)
        self._app.invalidate()

    def _matches(self) -> list[int]:
        return match_options(self._prompt.options, self._buffer.text)

    def _handle_change(self, _: Buffer) -> None:
        self._shows_help = False
        if self._next_check is not None:
            self._next_check.cancel()
            self._next_check = None
        if self._app.is_done:
            return
        if self._prompt.options or self._reason is not None:
            self._update_reason()
        else:
            loop = asyncio.get_running_loop()
            self._next_check = loop.call_later(REASON_DELAY_S, self._update_reason)
        matches = self._matches()
        if matches and self._selected not in matches:
            self._selected = matches[0]

    # Keys

    def _build_key_bindings(self) -> KeyBindings:
        keys = KeyBindings()

        def bind(key: str, action: Callable[[], object], *, when: bool = True) -> None:
            if when:
                keys.add(key)(lambda _: action())

        bind("enter", self._accept)
        bind("c-j", self._accept)
        bind("c-c", self._cancel)
        bind("<sigint>", self._cancel)
        bind("c-z", self._suspend_group)
        bind("c-u", self._delete_before_cursor)
        has_options = bool(self._prompt.options)
        bind("up", lambda: self._move(-1), when=has_options)
        bind("c-p", lambda: self._move(-1), when=has_options)
        bind("down", lambda: self._move(1), when=has_options)
        bind("c-n", lambda: self._move(1), when=has_options)
        bind("tab", lambda: self._move(1), when=has_options)
        bind("s-tab", lambda: self._move(-1), when=has_options)
        keys.add("c-d", filter=Condition(lambda: not self._buffer.text))(lambda _: self._cancel())
        keys.add(Keys.BracketedPaste)(self._paste)
        if self._prompt.help:
            is_empty = Condition(lambda: not self._buffer.text)
            keys.add(HELP_KEY, filter=is_empty)(lambda _: self._show_help())
        return keys

    def _accept(self) -> None:
        text = self._buffer.text
        if self._prompt.help and text.strip() == HELP_KEY:  # it was pasted
            self._show_help()
            return
        if self._prompt.options:
            matches = self._matches()
            if self._selected in matches:
                option = self._prompt.options[self._selected]
                self._buffer.text = option.label
                self._app.exit(result=option.value)
                return
        self._reason = self._prompt.check(text)
        if self._reason is None:
            if self._prompt.is_secret and text:
                self._buffer.document = Document(SHOWN_MASK, 0)  # scrolled to its beginning
            self._app.exit(result=text)

    def _show_help(self) -> None:
        """Show the help until something is typed. The key itself isn't part of the answer."""
        self._buffer.reset()
        self._reason = None
        self._shows_help = True

    def _cancel(self) -> None:
        if not self._app.is_done:
            self._app.exit(exception=KeyboardInterrupt())

    def _delete_before_cursor(self) -> None:
        """Delete across line breaks, which a paste may contain."""
        self._buffer.delete_before_cursor(self._buffer.cursor_position)

    def _move(self, step: int) -> None:
        matches = self._matches()
        if matches:
            at = matches.index(self._selected) if self._selected in matches else -step
            self._selected = matches[(at + step) % len(matches)]

    def _paste(self, event: KeyPressEvent) -> None:
        """Insert what was pasted without the line break at its end, which isn't part of the answer."""
        text = event.data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        self._buffer.insert_text(text)

    # Job control

    def _suspend_group(self) -> None:
        """Stop the job, as the terminal would for Ctrl-Z in its usual mode."""
        if not platforms.current().has_terminal_modes:
            return
        with suppress(OSError):  # if it is not our controlling terminal
            if os.tcgetpgrp(self._input.fileno()) == os.getpgrp():
                self._suspend(0)

    def _suspend(self, process: int) -> None:
        if self._prompt.is_secret:
            self._buffer.reset()

        def stop() -> None:
            loop = asyncio.get_running_loop()
            was_handled = loop.remove_signal_handler(signal.SIGTSTP)
            os.kill(process, signal.SIGTSTP)  # returns when the process is continued
            self._enter_raw_mode()
            if was_handled:
                loop.add_signal_handler(signal.SIGTSTP, self._suspend, os.getpid())

        run_in_terminal(stop)

    def _handle_continue(self) -> None:
        """Hide what is typed again after a SIGSTOP, which can't be handled."""
        import termios

        with suppress(termios.error):
            if not termios.tcgetattr(self._input.fileno())[3] & termios.ECHO:
                return
        if self._prompt.is_secret:
            self._buffer.reset()
        self._enter_raw_mode()
        self._app.renderer.reset()
        self._app.invalidate()

    def _enter_raw_mode(self) -> None:
        """Set the modes, and discard what was typed while they were not set.

        In the background, this stops the process.
        """
        import termios

        self._input.raw_mode().__enter__()
        with suppress(termios.error):
            termios.tcflush(self._input.fileno(), termios.TCIFLUSH)


def _open_input(stdin: TextIO) -> Input:
    if platforms.current().has_terminal_modes:
        from prompt_toolkit.input.vt100 import Vt100Input

        class TerminalInput(Vt100Input):
            """Input that ends when the terminal is closed, even if that sends no signal."""

            @property
            def closed(self) -> bool:
                return super().closed or self._is_hung_up()

            def _is_hung_up(self) -> bool:
                poll = select.poll()
                poll.register(self.fileno(), select.POLLHUP)
                return any(event & select.POLLHUP for _, event in poll.poll(0))

        return TerminalInput(stdin)
    return create_input(stdin)


def _open_output(stderr: TextIO) -> Output:
    output = create_output(stderr)
    if hasattr(output, "enable_cpr"):
        output.enable_cpr = False  # a late answer of the terminal would be typed into the shell
    return output


def _handles_signals() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _discard_input(source: Input, quiet_s: float = QUIET_S) -> None:
    """Do as `discard_typed`, also with what prompt_toolkit has read already."""
    clear_typeahead(source)
    if not platforms.current().has_terminal_modes:
        return
    with suppress(OSError):  # of a terminal that is gone
        discard_typed(source.fileno(), quiet_s)
