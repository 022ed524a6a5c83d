"""The workshop: arrays, triangles, pixels. One folder per operator, each with a contract, a plain reference and one
implementation per backend; `backend.choose` picks them.

It has never heard of faces, frames or sockets, and imports nothing of the tracker but its errors.
"""
