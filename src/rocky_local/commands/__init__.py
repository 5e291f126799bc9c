"""What each subcommand answers: `answer_<command>(args) -> Answer`, in the module that `args.COMMANDS` names."""
