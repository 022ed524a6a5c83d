"""The work on a face as a CUDA device does it: one small copy there, one graph of kernels, one small copy back.

`FaceFrame` is everything from the crop to the estimate for a batch of faces, in buffers that never move; `Graph` holds
it as one CUDA graph; `Replays` picks the graph that holds the looks of one stream or of several; `DeviceFaces` is what
a stream's pipeline asks instead of its own stages. Plain torch runs the same code on the processor, which is how it is
tested where there is no device. It decodes nothing and opens no socket.
"""
