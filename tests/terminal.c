/* The trainer's progress line on terminals of several widths (pseudo-terminals) and in a pipe. */
#if defined(__unix__) || defined(__APPLE__)
#define _XOPEN_SOURCE 600 /* posix_openpt, which -std=c99 hides */
#define _DARWIN_C_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#endif
#include "../ssl.h"
#include "harness.h"

#if defined(TIOCSWINSZ)
#define EPOCHS 9
static char seen[1 << 16]; /* what stderr received */
static size_t seen_bytes;
static int asked; /* .columns */
static int master = -1; /* the side of the pseudo-terminal, or of the pipe, that is read */

static void drain(void) {
    ssize_t n;
    while (seen_bytes < sizeof seen - 1 && (n = read(master, seen + seen_bytes, sizeof seen - 1 - seen_bytes)) > 0)
        seen_bytes += (size_t)n;
    seen[seen_bytes] = 0;
}
static int drain_callback(const sslh_train_info *t, void *user) {
    (void)t;
    (void)user;
    drain(); /* a terminal holds few bytes, and a full one makes the trainer wait */
    return 0;
}

static int numbers = 1; /* that the method tells */
/* Trains a small SimCLR whose stderr is `side`; name replaces the method's unless NULL. */
static void train_into(int side, const char *name, int epochs) {
    static uint8_t pixels[8 * 8 * 8 * 3];
    sslh_convnet_desc nd;
    sslh_simclr_desc md;
    sslh_train_desc td;
    sslh_method m;
    sslh_desc d;
    sslh_ctx *c;
    int keep = dup(2), i;
    memset(&d, 0, sizeof d);
    d.threads = 1;
    c = sslh_create(d);
    for (i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    memset(&nd, 0, sizeof nd);
    nd.channels = 3, nd.widths[0] = 4;
    memset(&md, 0, sizeof md);
    md.head_hidden = 4, md.head_out = 4;
    m = sslh_simclr(c, sslh_convnet(c, nd), md);
    if (name) m.name = name;
    if (numbers > 1) m.numbers[1].name = "two", m.numbers[1].value = 2;
    if (numbers > 2) m.numbers[2].name = "three", m.numbers[2].value = 3;
    memset(&td, 0, sizeof td);
    td.epochs = epochs;
    td.max_steps = 2 * EPOCHS;
    td.batch = 4;
    td.callback = drain_callback;
    td.columns = asked;
    seen_bytes = 0;
    fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
    dup2(side, 2);
    sslh_train(c, m, sslh_data_from_images(c, pixels, 8, 8, 8, 3, NULL), td);
    drain();
    dup2(keep, 2);
    close(keep);
    CHECK_OK(c);
    sslh_destroy(c);
}

/* The longest row that seen draws, where \r goes back to its beginning; *drawn: their number; last: the last one. */
static int longest_row(int *drawn, char last[512]) {
    char *p = seen;
    int most = 0;
    for (*drawn = 0; *p;) {
        int n = 0;
        while (*p == '\r' || *p == '\n') p++;
        if (!strncmp(p, "\033[K", 3)) p += 3;
        while (p[n] && p[n] != '\r' && p[n] != '\n') n++;
        if (n) {
            ++*drawn;
            snprintf(last, 512, "%.*s", n, p);
        }
        if (n > most) most = n;
        p += n;
    }
    return most;
}

/* One run on a terminal of so many columns. 0 when there are no pseudo-terminals. */
static int on_terminal(int columns, const char *name, int epochs, char last[512]) {
    struct winsize size;
    const char *path;
    int side, drawn, most;
    last[0] = 0;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0) return 0;
    if (grantpt(master) || unlockpt(master) || !(path = ptsname(master)) ||
        (side = open(path, O_RDWR | O_NOCTTY)) < 0) {
        close(master);
        return 0;
    }
    memset(&size, 0, sizeof size);
    size.ws_row = 24;
    size.ws_col = (unsigned short)columns;
    ioctl(master, TIOCSWINSZ, &size);
    train_into(side, name, epochs);
    most = longest_row(&drawn, last);
    if (asked) columns = asked;
    CHECK(columns == 1 || drawn >= 1, "nothing was drawn on %d columns", columns);
    CHECK(most < (columns ? columns : 80), "a row of %d characters on %d columns: %s", most, columns, last);
    CHECK(!strchr(seen, '\n') || !strchr(strchr(seen, '\n') + 1, '\n'), "more than one line was left");
    close(side);
    close(master);
    return 1;
}

static void columns_40_80_120(void) {
    char row[512];
    static const int odd[] = {0, 1, 2, 12, 30, 60, 100};
    int i;
    if (!on_terminal(120, NULL, EPOCHS, row)) {
        SKIP("columns_40_80_120", "no pseudo-terminal can be opened");
        return;
    }
    CHECK(!strncmp(row, "simclr [######", 14) && strstr(row, "#] epoch 9/9  step 18/18  loss "), "%s", row);
    CHECK(strstr(row, "  top-1 ") && strstr(row, "  rate ") && strstr(row, " MB  ") && strstr(row, " images/s  took "),
          "%s", row);
    CHECK(strstr(row, "  peak "), "the most memory is not told: %s", row);
    on_terminal(80, NULL, EPOCHS, row); /* a shorter bar, no images/s, all else */
    CHECK(!strncmp(row, "simclr [######", 14) && strstr(row, "#] epoch 9/9  step 18/18  loss "), "%s", row);
    CHECK(strstr(row, "  top-1 ") && strstr(row, "  took ") && !strstr(row, "images/s"), "%s", row);
    on_terminal(40, NULL, EPOCHS, row); /* what training is watched for */
    CHECK(!strncmp(row, "step 18/18  loss ", 17) && strstr(row, "  took "), "%s", row);
    for (i = 0; i < (int)(sizeof odd / sizeof odd[0]); i++) on_terminal(odd[i], NULL, EPOCHS, row);
    numbers = 3; /* on 80 columns the first alone is told */
    on_terminal(140, NULL, EPOCHS, row);
    CHECK(strstr(row, "  top-1 ") && strstr(row, "  two 2.000  three 3.000  ") && strstr(row, " images/s  took "),
          "%s", row);
    on_terminal(80, NULL, EPOCHS, row);
    CHECK(strstr(row, "  top-1 ") && !strstr(row, "two") && strstr(row, "  took "), "%s", row);
    numbers = 1;
    asked = 50; /* what the program says counts, whatever the terminal says */
    on_terminal(120, NULL, EPOCHS, row);
    CHECK(strstr(row, "step 18/18  loss "), "%s", row);
    asked = 100;
    on_terminal(80, NULL, EPOCHS, row);
    CHECK(strlen(row) > 82, "%s", row);
    asked = 0;
    /* long names and large numbers */
    on_terminal(80, "a_method_of_somebody_who_likes_names_that_say_all_that_there_is_to_say", EPOCHS, row);
    CHECK(strstr(row, "step 18/18  loss ") && strstr(row, "  took "), "%s", row);
    on_terminal(80, NULL, 1000000000, row);
    on_terminal(40, NULL, 1000000000, row);
    CHECK(strstr(row, "loss "), "%s", row);
}

/* Elsewhere than on a terminal: a whole line for each epoch, however long. */
static void pipe_lines(void) {
    int ends[2], lines = 0;
    char *p, *end;
    if (pipe(ends)) {
        CHECK(0, "no pipe");
        return;
    }
    master = ends[0];
    numbers = 2;
    train_into(ends[1], NULL, EPOCHS);
    numbers = 1;
    CHECK(!strchr(seen, '\r') && !strchr(seen, '\033') && !strchr(seen, '['), "%s", seen);
    for (p = seen; (end = strchr(p, '\n')) != NULL; p = end + 1) {
        char want[64];
        snprintf(want, sizeof want, "simclr epoch %d/%d  step %d/%d  loss ", lines + 1, EPOCHS, 2 * lines + 2,
                 2 * EPOCHS);
        *end = 0;
        CHECK(!strncmp(p, want, strlen(want)) && strstr(p, "  top-1 ") && strstr(p, "  two 2.000  ") &&
              strstr(p, "  rate ") && strstr(p, " MB  ") && strstr(p, " images/s  "), "%s", p);
        lines++;
    }
    CHECK(lines == EPOCHS && !*p, "%d lines, then \"%s\"", lines, p);
    close(ends[0]);
    close(ends[1]);
}

/* A warning is one line on stderr, unless .warn takes it; .quiet is for the progress line only. */
static void warned(void *user, const char *text) { snprintf((char *)user, 512, "%s", text); }
static void warning_line(void) {
    static uint8_t pixels[8 * 8 * 8 * 3];
    int way;
    for (way = 0; way < 2; way++) {
        char heard[512] = "";
        int ends[2], keep = dup(2);
        sslh_convnet_desc nd;
        sslh_moco_desc md;
        sslh_train_desc td;
        sslh_desc d;
        sslh_ctx *c;
        memset(&nd, 0, sizeof nd);
        memset(&md, 0, sizeof md);
        memset(&td, 0, sizeof td);
        memset(&d, 0, sizeof d);
        d.threads = 1;
        if (way) d.warn = warned, d.user = heard;
        nd.widths[0] = 4;
        md.queue = 12, md.split = 1;
        td.epochs = 1, td.batch = 4, td.quiet = 1;
        if (pipe(ends)) {
            CHECK(0, "no pipe");
            return;
        }
        master = ends[0];
        seen_bytes = 0;
        fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
        c = sslh_create(d);
        dup2(ends[1], 2);
        sslh_train(c, sslh_moco(c, sslh_convnet(c, nd), md), sslh_data_from_images(c, pixels, 8, 8, 8, 3, NULL), td);
        drain();
        dup2(keep, 2);
        close(keep);
        CHECK_OK(c);
        sslh_destroy(c);
        if (way) CHECK(!seen[0] && strstr(heard, "a queue of 12 keys") && !strchr(heard, '\n'), "%s|%s", seen, heard);
        else {
            const char *says = "warning: sslh_moco: a queue of 12 keys is longer than the data set of 8 images: ";
            CHECK(!strncmp(seen, says, 79) && strchr(seen, '\n') == seen + strlen(seen) - 1, "%s", seen);
        }
        close(ends[0]);
        close(ends[1]);
    }
}
#else
static void warning_line(void) { NOTE("warning_line", "a system with pipes that do not wait"); }
static void columns_40_80_120(void) { NOTE("columns_40_80_120", "a system with pseudo-terminals"); }
static void pipe_lines(void) { NOTE("pipe_lines", "a system with pipes that do not wait"); }
#endif

TESTS_BEGIN
    TEST(columns_40_80_120)
    TEST(pipe_lines)
    TEST(warning_line)
TESTS_END
