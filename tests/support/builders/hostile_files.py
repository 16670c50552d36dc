"""Small files that promise more than they have, of each format that the service reads."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

from tests.support.builders import image_files, specimens

HUGE = 40_000
"""Voxels along an axis, as files promise them: more than 4 GB of them in a picture of floats."""


def nifti(*, shape: tuple[int, ...] = (HUGE, HUGE, 8), packed: bytes = b"") -> bytes:
    """A NIfTI file that promises a shape; `packed`: its voxels, compressed."""
    data = bytearray(specimens.valid("nii"))
    struct.pack_into("<8h", data, 40, len(shape), *(min(size, 32_767) for size in shape), *[1] * (7 - len(shape)))
    head = bytes(data[:352])
    return gzip.compress(head + packed, mtime=0) if packed else head


def nrrd() -> bytes:
    return specimens.valid("nrrd").replace(b"sizes: 7 5 3", f"sizes: {HUGE} {HUGE} 99".encode())


def png() -> bytes:
    data = bytearray(specimens.valid("png"))
    data[16:24] = struct.pack(">II", HUGE, HUGE)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def jpeg() -> bytes:
    data = bytearray(specimens.valid("jpg"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


def tiff() -> bytes:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, specimens.GREY[0])
    data = bytearray(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tags = file.pages[0].tags
        for name in ("ImageWidth", "ImageLength"):
            tag = tags[name]
            struct.pack_into("<H" if int(tag.dtype) == 3 else "<I", data, tag.valueoffset, HUGE)
    return bytes(data)


def dicom(**fields: int) -> bytes:
    made = specimens.slice_of(0.0)
    for name, value in fields.items():
        setattr(made, name, value)
    return specimens.dicom_bytes(made)


def npy() -> bytes:
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({HUGE}, {HUGE}, 8), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


def archive(*, declared: int | None = None, name: str = "a.dcm", size: int = 8 << 20) -> bytes:
    """A zip archive of zeros; `declared`: the size that its directory promises."""
    data = bytearray(image_files.zipped({name: bytes(size)}))
    if declared is not None:
        local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
        struct.pack_into("<I", data, local + 22, declared)
        struct.pack_into("<I", data, central + 24, declared)
    return bytes(data)


def many_names() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for number in range(5000):
            made.writestr(f"{number}.dcm", b"")
    return stream.getvalue()


def many_small_bombs() -> bytes:
    """Each file is as small as files may be that are packed tightly; together they are 100 times what a request may have."""
    return image_files.zipped({f"{number}.dcm": bytes(1 << 20) for number in range(100)})


def nested() -> bytes:
    """An archive in an archive, which is no image."""
    return image_files.zipped({"a.dcm": archive()})


PROMISES = {
    "npy": npy,
    "nifti": nifti,
    "nifti, packed": lambda: nifti(packed=bytes(64)),
    "nifti, packed bomb": lambda: nifti(packed=bytes(200 << 20)),
    "nrrd": nrrd,
    "png": png,
    "jpeg": jpeg,
    "tiff": tiff,
    "dicom": lambda: dicom(Rows=65_535, Columns=65_535),
    "dicom frames": lambda: dicom(NumberOfFrames=2_000_000_000),
    "zip bomb": archive,
    "zip that promises 4 GB": lambda: archive(declared=0xFFFF_FFFE),
    "zip that promises little": lambda: archive(declared=10),
    "zip of many names": many_names,
    "zip of small bombs": many_small_bombs,
    "zip in a zip": nested,
    **{
        f"zip with the name {name}": lambda name=name: archive(name=name, size=10)
        for name in ("../a.dcm", "/etc/a.dcm", "a/../../b.dcm", "..\\a.dcm", "C:\\a.dcm", "a\x00b.dcm", "x" * 5000)
    },
}
