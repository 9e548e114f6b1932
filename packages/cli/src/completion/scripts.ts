/** The scripts that make a shell ask `skerry __complete`. Its first answer is how to go on: `space`, `nospace` or `files`. */

const bash = `# bash completion of skerry: eval "$(skerry completion bash)"
_skerry() {
  local found
  mapfile -t found < <("\${COMP_WORDS[0]}" __complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  COMPREPLY=("\${found[@]:1}")
  case "\${found[0]}" in
    nospace) compopt -o nospace ;;
    files) compopt -o default -o filenames; COMPREPLY=() ;;
  esac
}
complete -F _skerry skerry`

const zsh = `#compdef skerry
# zsh completion of skerry: source <(skerry completion zsh), or as a file _skerry in a folder of $fpath
_skerry() {
  local -a found values shown
  local line
  found=("\${(@f)$("\${words[1]}" __complete zsh "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${found[1]}" == files ]]; then _files; return; fi
  for line in "\${(@)found[2,-1]}"; do
    values+=("\${line%%$'\\t'*}")
    shown+=("\${line//$'\\t'/  }")
  done
  (( \${#values} )) || return 1
  if [[ "\${found[1]}" == nospace ]]; then compadd -S '' -l -d shown -a values; else compadd -l -d shown -a values; fi
}
if [[ "\${funcstack[1]}" == _skerry ]]; then _skerry "$@"; else compdef _skerry skerry; fi`

const fish = `# fish completion of skerry: skerry completion fish | source
function __skerry_complete
    set -l words (commandline -opc)
    set -l found ($words[1] __complete fish $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found[1]" = files
        __fish_complete_path (commandline -ct)
    else if test (count $found) -gt 1
        printf '%s\\n' $found[2..-1]
    end
end
complete -c skerry -f -a '(__skerry_complete)'`

export const completionScripts = { bash, zsh, fish } as const
export type Shell = keyof typeof completionScripts
export const shells = Object.keys(completionScripts) as [Shell, ...Shell[]]
