"""Event files as TensorBoard reads them: framing with checksums, and the few fields of an event that carry scalars.

Written from the documented formats (TFRecord, protocol buffers, `event.proto`, `summary.proto`, `tensor.proto`), so that neither library is
needed.
"""
