/* Completion for bash, zsh and fish, from the tables that --help is printed from:
 * source <(rescomp completion bash) */
#include "tool.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct option options[] = {{NULL, NULL, NULL, NULL}};

/* What may follow an option. A help text that says "see rescomp methods KIND" names its words. */
enum { FOLLOW_FILE = 1, FOLLOW_FOLDER = 2, FOLLOW_DATA = 4 };
struct follow {
    unsigned what;
    char words[2048]; /* joined by spaces */
};

#define DATA_KINDS "cifar10: cifar100: idx: folder: image: npz:"

static void add_word(struct follow *f, const char *word, size_t n)
{
    const size_t have = strlen(f->words);
    if (n && have + n + 2 < sizeof(f->words))
        snprintf(f->words + have, sizeof(f->words) - have, "%s%.*s", have ? " " : "", (int) n,
                 word);
}

static void add_methods(struct follow *f, const char *kind, size_t n)
{
    rc_method_info m = RC_METHOD_INFO_INIT;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int) n, kind);
    for (uint64_t i = 0; rc_method_get(name, i, &m) == RC_OK; i++)
        add_word(f, m.name, strlen(m.name));
}

/* "a|b" of a placeholder: small letters are words, capitals say what is meant. */
static void add_placeholder(struct follow *f, const char *s)
{
    static const char *const files[] = {"FILE", "OUT", "MODEL", ".npy", ".json"};
    for (size_t n; *s; s += n + (s[n] == '|')) {
        n = strcspn(s, "|");
        char word[64];
        snprintf(word, sizeof(word), "%.*s", (int) n, s);
        if (islower((unsigned char) word[0]))
            add_word(f, word, n);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
            if (strstr(word, files[i]))
                f->what |= FOLLOW_FILE;
        if (!strcmp(word, "DIR"))
            f->what |= FOLLOW_FOLDER;
        if (!strcmp(word, "KIND:PATH"))
            f->what |= FOLLOW_DATA;
    }
}

static void find_follow(struct follow *f, const struct option *o)
{
    static const char see[] = "see rescomp methods ";
    *f = (struct follow){0, ""};
    add_placeholder(f, o->value);
    const char *kind = strstr(o->help, see);
    if (kind) {
        kind += sizeof(see) - 1;
        add_methods(f, kind, strspn(kind, "abcdefghijklmnopqrstuvwxyz-"));
    }
    if (o->words)
        add_word(f, o->words, strlen(o->words));
}

/* The verb's own options, then those of every verb. */
static const struct option *nth_option(const struct verb *v, unsigned k)
{
    for (const struct option *o = v->options; o && o->name; o++)
        if (!k--)
            return o;
    for (const struct option *o = common_options; o->name; o++)
        if (!k--)
            return o;
    return NULL;
}

static const char *dashes(const struct option *o)
{
    return o->name[1] ? "--" : "-";
}

/* What stands in place of an operand: words, or a file. */
static void find_operand(struct follow *f, const struct verb *v)
{
    *f = (struct follow){0, ""};
    if (!v->max_operands)
        return;
    if (v->words)
        add_word(f, v->words, strlen(v->words));
    else if (!strncmp(v->operands, "[KIND", 5))
        for (uint64_t i = 0;; i++) {
            rc_method_kind_info k = RC_METHOD_KIND_INFO_INIT;
            if (rc_method_get_kind(i, &k) != RC_OK)
                break;
            add_word(f, k.name, strlen(k.name));
        }
    else if (!strcmp(v->operands, "[VERB]"))
        for (unsigned i = 0; verbs[i]; i++)
            add_word(f, verbs[i]->name, strlen(verbs[i]->name));
    else
        f->what = FOLLOW_FILE;
}

/* --- bash --- */

static void bash_reply(const struct follow *f)
{
    if (f->what & FOLLOW_DATA)
        printf("            compopt -o nospace; words='" DATA_KINDS "' ;;\n");
    else if (f->what & FOLLOW_FOLDER)
        printf(
            "            compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n");
    else if (f->what & FOLLOW_FILE)
        printf("            words='%s'; files=1 ;;\n", f->words);
    else
        printf("            words='%s' ;;\n", f->words);
}

static void bash_verb(const struct verb *v)
{
    struct follow f;
    printf("    %s)\n        case $opt in\n", v->name);
    const struct option *o;
    for (unsigned k = 0; (o = nth_option(v, k)); k++) {
        if (!o->value)
            continue;
        find_follow(&f, o);
        printf("        %s%s)\n", dashes(o), o->name);
        bash_reply(&f);
    }
    printf("        *)\n            if [[ $cur == -* ]]; then\n                words='");
    for (unsigned k = 0; (o = nth_option(v, k)); k++)
        printf("%s%s%s", k ? " " : "", dashes(o), o->name);
    find_operand(&f, v);
    printf("'\n            else\n                words='%s'; files=%d\n            fi ;;\n"
           "        esac ;;\n",
           f.words, f.what & FOLLOW_FILE ? 1 : 0);
}

/* Bash splits words at ':' and '=', so --data cifar10:DIR and --split=test are several. */
static void print_bash(void)
{
    printf("# bash completion of rescomp; made by: rescomp completion bash\n"
           "_rescomp()\n{\n"
           "    local at=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} opt words='' files=0\n"
           "    COMPREPLY=()\n"
           "    if ((at == 1)); then\n        COMPREPLY=($(compgen -W '");
    for (unsigned i = 0; verbs[i]; i++)
        printf("%s ", verbs[i]->name);
    printf("--help --version' -- \"$cur\"))\n        return\n    fi\n"
           "    opt=${COMP_WORDS[at - 1]}\n"
           "    if [[ $cur == [=:] ]]; then\n        opt=$cur cur=''\n        ((at++))\n    fi\n"
           "    if [[ $opt == ':' ]]; then\n"
           "        compopt -o filenames\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
           "        return\n    fi\n"
           "    if [[ $opt == '=' ]]; then opt=${COMP_WORDS[at - 2]}; fi\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (unsigned i = 0; verbs[i]; i++)
        bash_verb(verbs[i]);
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "    if ((files)); then\n        compopt -o filenames\n"
           "        COMPREPLY+=($(compgen -f -- \"$cur\"))\n    fi\n"
           "}\ncomplete -F _rescomp rescomp\n");
}

/* --- zsh --- */

/* Inside '...[...]': brackets, colons and quotes end what they stand in. */
static void zsh_text(const char *s)
{
    for (; *s; s++)
        if (*s == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *s))
            printf("\\%c", *s);
        else
            putchar(*s);
}

static void zsh_follow(const struct follow *f)
{
    if (f->what & FOLLOW_DATA)
        printf("_rescomp_data");
    else if (f->what & FOLLOW_FOLDER)
        printf("_files -/");
    else if (f->what & FOLLOW_FILE)
        printf("_files");
    else if (f->words[0])
        printf("(%s)", f->words);
    else
        putchar(' ');
}

static void zsh_verb(const struct verb *v)
{
    struct follow f;
    const struct option *o;
    printf("    %s)\n        _arguments -s", v->name);
    for (unsigned k = 0; (o = nth_option(v, k)); k++) {
        printf(" \\\n            '*%s%s%s[", dashes(o), o->name, o->value && o->name[1] ? "=" : "");
        zsh_text(o->help);
        putchar(']');
        if (o->value) {
            putchar(':');
            zsh_text(o->value);
            putchar(':');
            find_follow(&f, o);
            zsh_follow(&f);
        }
        putchar('\'');
    }
    find_operand(&f, v);
    printf(" \\\n            '*:operand:");
    zsh_follow(&f);
    printf("' ;;\n");
}

static void print_zsh(void)
{
    printf("#compdef rescomp\n# zsh completion of rescomp; made by: rescomp completion zsh\n"
           "_rescomp_data()\n{\n"
           "    if compset -P '*:'; then _files; else compadd -S '' -- " DATA_KINDS "; fi\n}\n"
           "_rescomp()\n{\n"
           "    local -a all=(");
    for (unsigned i = 0; verbs[i]; i++) {
        printf("\n        '%s:", verbs[i]->name);
        zsh_text(verbs[i]->summary);
        putchar('\'');
    }
    printf(")\n    if ((CURRENT == 2)); then _describe verb all; return; fi\n"
           "    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n");
    for (unsigned i = 0; verbs[i]; i++)
        zsh_verb(verbs[i]);
    printf("    esac\n}\n"
           "if [[ $funcstack[1] == _rescomp ]]; then _rescomp \"$@\"; else compdef _rescomp "
           "rescomp; fi\n");
}

/* --- fish --- */

static void fish_text(const char *s)
{
    putchar('\'');
    for (; *s; s++)
        if (*s == '\'' || *s == '\\')
            printf("\\%c", *s);
        else
            putchar(*s);
    putchar('\'');
}

static void fish_follow(const struct follow *f)
{
    if (f->what & FOLLOW_DATA)
        printf(" -x -a '(__rescomp_data)'");
    else if (f->what & FOLLOW_FOLDER)
        printf(" -x -a '(__fish_complete_directories)'");
    else if (f->what & FOLLOW_FILE && f->words[0])
        printf(" -r -F -a '%s'", f->words);
    else if (f->what & FOLLOW_FILE)
        printf(" -r -F");
    else
        printf(" -x -a '%s'", f->words);
}

static void fish_verb(const struct verb *v)
{
    struct follow f;
    const struct option *o;
    printf("complete -c rescomp -n __fish_use_subcommand -f -a %s -d ", v->name);
    fish_text(v->summary);
    putchar('\n');
    for (unsigned k = 0; (o = nth_option(v, k)); k++) {
        printf("complete -c rescomp -n '__fish_seen_subcommand_from %s' -%c %s -d ", v->name,
               o->name[1] ? 'l' : 's', o->name);
        fish_text(o->help);
        if (o->value) {
            find_follow(&f, o);
            fish_follow(&f);
        }
        putchar('\n');
    }
    find_operand(&f, v);
    if (!(f.what & FOLLOW_FILE))
        printf("complete -c rescomp -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", v->name,
               f.words);
}

static void print_fish(void)
{
    printf(
        "# fish completion of rescomp; made by: rescomp completion fish\n"
        "function __rescomp_data\n"
        "    set -l kind (string match -r '^[a-z0-9]+:' -- (commandline -ct))\n"
        "    if test -n \"$kind\"\n"
        "        __fish_complete_path (string replace -r '^[a-z0-9]+:' '' -- (commandline -ct)) | "
        "string replace -r '^' $kind\n"
        "    else\n        printf '%%s\\n' " DATA_KINDS "\n    end\nend\n");
    for (unsigned i = 0; verbs[i]; i++)
        fish_verb(verbs[i]);
}

static int run(const struct args *a)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
        if (!strcmp(shells[i].name, a->positional[0])) {
            shells[i].print();
            return EXIT_DONE;
        }
    return tool_usage(a, "no completion for \"%s\", there is bash, zsh and fish", a->positional[0]);
}

const struct verb verb_completion = {"completion",
                                     "bash|zsh|fish",
                                     "completion for a shell: source <(rescomp completion bash)",
                                     1,
                                     1,
                                     options,
                                     run,
                                     "bash zsh fish"};
