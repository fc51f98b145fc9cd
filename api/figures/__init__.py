"""Figures of a run: built from its records as charts, drawn as Plotly figures or as PNG without a browser."""
