"""Benchmarks: how fast, how close to the teacher, how many faces found, how fast the kernels.

Every bench is a module with the same four names, so that a command is three lines; nothing is saved unless asked.

    Settings            frozen dataclass, one field a flag, defaults in place
    measure(settings, progress=None) -> Result
                        frozen dataclass of plain numbers; `progress(done, total, text)` is called as it goes;
                        raises FacewireError for a bad file, model or setting
    report(result) -> str
                        the tables a person reads, plain text

and, where there is more to do or to say than that:

    draw(result, settings)
                        accuracy, end_to_end, smoothing: the pictures that `figure` or `figures` asks for
    status(result) -> int
                        gpu, kernels, soak: the command's exit code, 1 where what was measured is wrong

    latency.Settings(clip, teacher=None, peer=None, scale=1080, frames=300, one_core=False)
                        peer: mediapipe, which needs `teacher`, a face_landmarker.task
    end_to_end.Settings(clip=None, sizes="720", rates="30", faces="1", minutes=1.0, via="tcp", slow=0)
                        via: tcp | mpegts | pipe; needs `hdrhistogram`
    soak.Settings(clip=None, frames=100_000, size=720, faces=1)
    runtimes.Settings(model=None, runs=2000)                       OpenVINO and ONNX Runtime on the student
    accuracy.Settings(data, teacher, suite="all", limit=None, cache=None, peer=False, ict=None, figures=None)
                        suite: clips | aflw2000 | w300 | synthetic | all, or repeatability, which asks about training
                        clips; its result in results/repeatability.json lists the teacher's poor shapes
    detector.Settings(data, teacher, frames_per_bin=200, faceless=1000, cache=None, dump=None)
    kernels.Settings(name=None, backend="auto", repeats=100, peers=False)
                        status(result) is the command's exit code, for `gpu` as well
    gpu.Settings(clip=None, batch=1024, frames=120, repeats=300, gates_only=False, nvdiffrast=False)

`tracker.bench.report.emit(name, text, result, out=None)` prints the tables and then the one JSON line (with the
machine and the versions), and only then writes the same JSON to `out` where one is given:

    result = latency.measure(latency.Settings(clip, teacher=path), progress=show)
    emit("latency", latency.report(result), result, out)

Importing this package loads nothing heavy.
"""
