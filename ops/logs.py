"""Log lines on stderr: JSON where a program reads them, readable where a person does. Our own and the libraries' look the same."""

import logging
import sys

import structlog
from structlog.typing import Processor

LOUD = ("aiokafka", "faust", "mode", "httpx", "httpcore", "granian")  # their INFO is noise, and httpx's names whole addresses


def configure_quiet() -> None:
    """For a command that says itself what went wrong: only our own warnings and errors, on stderr."""
    configure()
    logging.getLogger().setLevel(logging.WARNING)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def configure(**context: object) -> None:
    """From now on every log line goes to stderr and bears `context`. Tracebacks come without local variables: those hold secrets."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        last: list[Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**context)
