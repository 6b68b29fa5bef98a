#include <histedit.h>

// Swift cannot call variadic functions: what it needs of el_set, el_get and history has a name here.

typedef unsigned char (*editline_key)(EditLine *, int);

// A line editor on standard input that draws on standard error, with emacs keys, and the user's own from ~/.editrc.
// Tab calls `complete`, Ctrl-C `interrupt`: inside a line it is a key and no signal. Handlers of signals stay as they
// are: the program has its own.
static inline EditLine *editline_open(char *(*prompt)(EditLine *), editline_key complete, editline_key interrupt,
                                      History *lines, void *owner) {
    EditLine *editor = el_init("convergectl", stdin, stderr, stderr);
    if (!editor) return NULL;
    el_set(editor, EL_CLIENTDATA, owner);
    el_set(editor, EL_PROMPT, prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, lines);
    el_source(editor, NULL);
    el_set(editor, EL_ADDFN, "converge-complete", "complete the word", complete);
    el_set(editor, EL_ADDFN, "converge-interrupt", "forget the line", interrupt);
    el_set(editor, EL_BIND, "^I", "converge-complete", NULL);
    el_set(editor, EL_BIND, "^C", "converge-interrupt", NULL);
    el_set(editor, EL_SETTY, "-d", "-isig", NULL);
    return editor;
}

static inline void *editline_owner(EditLine *editor) {
    void *owner = NULL;
    el_get(editor, EL_CLIENTDATA, &owner);
    return owner;
}

// The terminal gives every key from here on. el_gets alone would show the prompt first: a Ctrl-D typed at once would be
// lost.
static inline void editline_prepare(EditLine *editor) {
    el_set(editor, EL_PREP_TERM, 1);
}

// Lines that the up arrow goes back through: the newest `count`, one after another never the same.
static inline History *editline_history(int count) {
    History *lines = history_init();
    HistEvent event;
    if (lines) {
        history(lines, &event, H_SETSIZE, count);
        history(lines, &event, H_SETUNIQUE, 1);
    }
    return lines;
}

static inline void editline_remember(History *lines, const char *line) {
    HistEvent event;
    history(lines, &event, H_ENTER, line);
}
