"""The subcommands of ``mtann``, one module each: ``add_arguments(parser)`` and ``run(arguments, console)``."""
