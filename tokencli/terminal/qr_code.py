"""QR codes (ISO/IEC 18004) drawn with half blocks: one character is two modules, one over the other."""

QUIET_ZONE_MODULES = 2
"""Modules of empty border: half of what the standard wants, and enough for today's phones."""
_HALF_BLOCKS = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
"""(upper, lower) dark? -> character; the terminal's own ground is dark, so light modules are drawn."""


def render_qr_code(text: str) -> list[str]:
    """Return the lines of a QR code that holds `text`; none where it is too long for one."""
    import segno

    try:
        code = segno.make_qr(text, error="l")
    except segno.DataOverflowError:
        return []
    rows = [list(row) for row in code.matrix_iter(border=QUIET_ZONE_MODULES)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return [
        "".join(
            _HALF_BLOCKS[bool(upper), bool(lower)]
            for upper, lower in zip(above, below, strict=True)
        )
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    ]
