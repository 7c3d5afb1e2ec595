"""Callbacks for other people's loops; each imports its host in its own module only.

    from profiler.integrations.lightning import EnergyCallback    # wattprof[lightning]
    from profiler.integrations.huggingface import EnergyCallback  # wattprof[huggingface]

At the edges of epochs a callback takes a timestamp; in a step it does next to nothing.

    harmless      what goes wrong in a callback is one warning, never the end of a job
    segment       one run of a host's loop, kept by a ledger in memory
    job           the segments of a job: what it drew, with its earlier, resumed runs
    rows          the same by name: stages, runs, attempts and phases
    nodes         which process reads the sensors, and the sum over hosts
    callback      what both callbacks offer: energies, total, summary, model card
"""
