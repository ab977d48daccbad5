/* The methods of ssl.h as a table of Markdown, a heading for each family: methods_table PREFIX examples/x/a.c ..
   PREFIX leads from the page to docs/. A method NAME has its page in docs/NAME.md and its program, NAME.c, among the
   files named; or these are its family's (docs/video.md and video.c), or those of the table below. Where one of them is
   missing, this ends with an error. docs/fill.sh runs it at the repository's top.
   methods_table --settings NAME: the fields of one method's descriptor, and its training defaults. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include <stdio.h>
#include <string.h>

/* Methods whose page or program is called by what it is about. */
static const char *const shared[][3] = {{"bert", "bert", "fill_mask"}, {"electra", "sentences", "polarity"},
    {"bart", "sentences", "polarity"}, {"sentence_order", "sentences", "polarity"}};
static const char *shared_of(const char *name, int what) {
    size_t i;
    for (i = 0; i < sizeof shared / sizeof shared[0]; i++)
        if (!strcmp(shared[i][0], name)) return shared[i][what];
    return name;
}

/* The program of a method among the arguments: the file called NAME.c. */
static const char *program_of(const char *name, int files, char **file) {
    size_t n;
    int i;
    name = shared_of(name, 2);
    n = strlen(name);
    for (i = 0; i < files; i++) {
        const char *base = strrchr(file[i], '/');
        base = base ? base + 1 : file[i];
        if (!strncmp(base, name, n) && !strcmp(base + n, ".c")) return file[i];
    }
    return NULL;
}

static int settings(const char *name) {
    const sslh_method_info *m;
    int i;
    for (m = sslh_methods(NULL); m->name; m++) {
        if (strcmp(m->name, name) != 0) continue;
        printf("| field | default | allowed |\n|---|---|---|\n");
        for (i = 0; i < m->settings_count; i++)
            printf("| `%s` | %s | %s |\n", m->settings[i].name, m->settings[i].standard, m->settings[i].range);
        printf("\nTraining: `%s`\n", m->training);
        if (m->paper_training[0]) printf("\nWith `.settings = \"paper\"`: `%s`\n", m->paper_training);
        return 0;
    }
    fprintf(stderr, "methods_table: no method %s\n", name);
    return 1;
}

int main(int argc, char **argv) {
    const char *prefix = argc > 1 ? argv[1] : "", *family = "";
    int n = 0, i, code = 0;
    const sslh_method_info *m = sslh_methods(&n);
    if (argc == 3 && !strcmp(argv[1], "--settings")) return settings(argv[2]);
    if (n < 1) {
        fprintf(stderr, "methods_table: the list is empty\n");
        return 1;
    }
    for (i = 0; i < n; i++) {
        const char *name = m[i].name, *program = NULL;
        char path[256];
        FILE *page = NULL;
        int k;
        for (k = 0; k < 2 && !page; k++) {
            name = k ? m[i].family : m[i].name;
            snprintf(path, sizeof path, "docs/%s.md", shared_of(name, 1));
            page = fopen(path, "rb");
            program = program_of(name, argc - 2, argv + 2);
        }
        if (page) fclose(page);
        if (!page || !program) {
            fprintf(stderr, "methods_table: %s has no %s\n", m[i].name, page ? "program in examples" : path);
            code = 1;
            continue;
        }
        if (strcmp(family, m[i].family) != 0) {
            family = m[i].family;
            /* families begin with a small letter */
            printf("%s**%c%s**\n\n", i ? "\n" : "", family[0] - 'a' + 'A', family + 1);
            printf("| method | learns by | function | switch | program |\n|---|---|---|---|---|\n");
        }
        printf("| [%s](%s%s.md) (%s, %s) | %s | `%s`", m[i].title, prefix, shared_of(name, 1), m[i].authors, m[i].venue,
               m[i].learns_by, m[i].function);
        if (m[i].loss[0]) printf(", `%s`", m[i].loss);
        printf(" | `%s` | `%s` |\n", m[i].switch_name, program);
    }
    return code;
}
