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

BLUES = ("#F7FBFF", "#DEEBF7", "#C6DBEF", "#9ECAE1", "#6BAED6", "#4292C6", "#2171B5", "#08519C", "#08306B")
"""ColorBrewer's Blues, light to dark."""
DARK_FROM = 0.55
"""From this share of the scale on, white text reads better than dark."""
