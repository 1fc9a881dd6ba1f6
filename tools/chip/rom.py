"""Maps a ROMFS image into the VM outside its heap, as frozen code lies outside of it on a chip."""


def mount(path, place):
    """Mounts the image file at `place` (MicroPython's unix port only)."""
    import os

    import ffi
    import uctypes
    import vfs

    size = os.stat(path)[6]
    mmap = ffi.open("libc.so.6").func("P", "mmap", "PIiiiI")
    with open(path, "rb") as file:
        address = mmap(0, size, 1, 2, file.fileno(), 0)  # PROT_READ, MAP_PRIVATE
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), place)
