# Completion for steno(1) in bash. Verbs, options and choices are asked of the program itself, so they are always its own.

_steno_names() { # of subscribers, for replay --to
  steno status --json 2>/dev/null | sed -n '/"subscribers"/,$s/^ *"name": "\(.*\)",\{0,1\}$/\1/p'
}

_steno_models() { # that have a price, for prices show
  steno prices list --json 2>/dev/null | sed -n 's/^ {"model":"\([^"]*\)".*/\1/p'
}

_steno_budgets() { # for budget remove
  steno budget list --json 2>/dev/null | sed -n 's/^ {"budget":"\([^"]*\)".*"file":"budgets.ini".*/\1/p'
}

_steno() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --dir) ((i++)) ;;
    -*) ;;
    *)
      verb=${COMP_WORDS[i]}
      break
      ;;
    esac
  done
  if [[ $before == --dir ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$word")
  elif [[ -z $verb || $verb == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(steno help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --dir --help --version" -- "$word")
  elif [[ $before == --to ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_steno_names)" -- "$word")
  elif [[ $verb == prices && $before == prices ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(steno prices --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')" -- "$word")
  elif [[ $verb == budget && $before == budget ]]; then
    mapfile -t COMPREPLY < <(compgen -W "set list remove" -- "$word")
  elif [[ $verb == budget && $before == remove ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_steno_budgets)" -- "$word")
  elif [[ $verb == budget && $before == --scope ]]; then
    mapfile -t COMPREPLY < <(compgen -W "all user: tag: app: model: provider:" -- "$word")
  elif [[ $verb == prices && $before == show ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_steno_models)" -- "$word")
  elif [[ $verb == prices && $before =~ ^(check|diff|import)$ && $word != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(steno "$verb" --help | grep -o -- '--[a-z][a-z-]*' | sort -u)" -- "$word")
  else
    # What help shows as a|b|c after the option before.
    local choices
    choices=$(steno "$verb" --help | sed -n "s/^  .*$before \([a-zA-Z]*|[a-zA-Z|]*\) .*/\1/p" | tr '|' ' ')
    mapfile -t COMPREPLY < <(compgen -W "${choices// [A-Z]*/}" -- "$word")
  fi
}

complete -F _steno steno
