"""A QR code is drawn module by module, two to a character."""

import segno

from tokencli.terminal.qr_code import QUIET_ZONE_MODULES, render_qr_code

MODULES = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
ADDRESS = "https://example.com/device?user_code=WDJB-MJHT"


def test_every_module_is_where_it_belongs() -> None:
    """Read back, the picture is the code's own matrix with a border of light."""
    rows: list[list[int]] = []
    for line in render_qr_code(ADDRESS):
        rows.append([MODULES[char][0] for char in line])
        rows.append([MODULES[char][1] for char in line])
    code = segno.make_qr(ADDRESS, error="l")
    wanted = [list(map(int, row)) for row in code.matrix_iter(border=QUIET_ZONE_MODULES)]
    assert rows[: len(wanted)] == wanted
    assert rows[len(wanted) :] in ([], [[0] * len(wanted[0])])


def test_it_fits_a_terminal_and_what_fits_no_code_is_not_drawn() -> None:
    """An address of usual length is at most 40 columns wide; one too long for a code brings none."""
    assert max(map(len, render_qr_code(ADDRESS))) <= 40
    assert render_qr_code("x" * 8000) == []
