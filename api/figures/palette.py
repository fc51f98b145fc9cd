"""Colours that readers with any colour vision can tell apart (Okabe and Ito, 2008), on white."""

BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREY = "#9AA0A6"

GROUND = "#FFFFFF"
INK = "#1F2328"
QUIET = "#5C646D"
GRID = "#E6E8EB"

DARK_FROM = 0.651
"""From this share of the scale on, white is read on the cells, dark text below it; no count has this share exactly."""
BLUES = ("#F7FBFF", "#DEEBF7", "#C6DBEF", "#9ECAE1", "#6BAED6", "#4292C6", "#2171B5", "#08519C", "#08306B")
"""ColorBrewer's Blues, light to dark."""
PALE = 6
"""So many of them bear dark text. Neither dark nor white text could be read on shades between them and the others."""
SHADES = tuple(
    (
        DARK_FROM * i / (PALE - 1) if i < PALE else DARK_FROM + (1 - DARK_FROM) * (i - PALE) / (len(BLUES) - 1 - PALE),
        colour,
    )
    for i, colour in enumerate(BLUES)
)
"""Places on the scale from 0 to 1, two of them where it leaps, and their colours."""
