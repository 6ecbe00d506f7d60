"""Several runs side by side: what they have in common, what differs, and which is better. Views in, values and lines of text out."""
