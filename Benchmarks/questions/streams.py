"""What do streams of events cost registration?"""

from rig import load, report

PROGRAMS = ["leads-crm"]
STREAMS = 50


def ask(rig, seconds, turns):
    report.question(f"How long does a registration take while {STREAMS} streams of events are open? (64 clients, 10 operators)")
    with rig.database("streams") as database, database.instance() as instance:
        source = instance.source(10)

        def listened_to():
            with load.Streams(instance.port, STREAMS) as streams:
                measured = load.register(instance.url, source, 64, seconds)
            sent = streams.received / STREAMS / max(1, measured.done)
            report.fault("" if sent > 150 else f"a stream got {sent:.0f} bytes for each registration")
            return measured

        measured = report.turns(rig, turns, {
            "nobody listens": lambda: load.register(instance.url, source, 64, seconds),
            f"{STREAMS} streams": listened_to,
        }, before=database.tidy)
        alone, beside = measured.values()
        report.ratio(f"p99 beside {STREAMS} streams against p99 without", [turn.p99 for turn in beside],
                     [turn.p99 for turn in alone], at_most=1.1)
        report.ratio("  p50", [turn.p50 for turn in beside], [turn.p50 for turn in alone])
        report.ratio("  contacts a second", [turn.rate for turn in beside], [turn.rate for turn in alone])
        report.costs(f"{STREAMS} streams", *reversed(measured.values()))
