"""Numbers in, text out: what can be drawn without knowing a terminal, a screen or a clock.

Every function takes its size and returns exactly that many cells; NaN and infinities are shown as marks and never bend a scale. Colour
is a name (`Style`) beside the text, never in it. Everything has a form in plain ASCII.
"""
