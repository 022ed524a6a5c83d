"""Benchmarks: how fast, how close to the teacher, how many faces found, how fast the kernels.

Every bench is a module with the same three names, so that a command is three lines; nothing is saved unless asked.

    Settings            frozen dataclass, one field a flag, defaults in place
    measure(settings, progress=None) -> Result
                        frozen dataclass of plain numbers; `progress(done, total, text)` is called as it goes;
                        raises FacewireError for a bad file, model or setting
    report(result) -> str
                        the tables a person reads, plain text

and, where there is more to do or to say than that:

    out_of(result) -> Path | None
                        gpu: where the line goes when no file is named
    draw(result, settings)
                        accuracy, end_to_end, smoothing: the pictures that `figure` or `figures` asks for
    status(result) -> int
                        gpu, kernels, soak: the command's exit code, 1 where what was measured is wrong

`tracker.bench.report.emit(name, text, result, out=None, on=None)` prints the tables and then the one JSON line (with
the versions, and the machine as it was before where `on` says so), and only then writes the same JSON to `out`:

    before = machine()
    result = latency.measure(latency.Settings(clip, teacher=path), progress=show)
    emit("latency", latency.report(result), result, out, before)

Importing this package loads nothing heavy.
"""
