/* A look inside an encoder as pictures in a folder, and a run as one HTML page that needs nothing else. Shared by
   inside.c and pretrain.c, which include common.h first. */
#ifndef EXAMPLES_USE_INSIDE_H
#define EXAMPLES_USE_INSIDE_H

/* --- pictures ----------------------------------------------------------------------------------------------------- */

/* The net that is asked: the encoder with a linear probe behind it, or, without labels, its features themselves. */
static sslh_net *asked_net(sslh_ctx *c, sslh_net *encoder, sslh_data train) {
    sslh_probe_desc p = {{0}, 0, 0, 0, 0};
    return train.labels && train.classes > 1 ? sslh_probe_keep(c, encoder, train, p) : sslh_with_head(c, encoder, 0);
}

/* Images of a set that lie evenly over it, as a tensor (n,H,W,C). */
static sslh_tensor *spread_images(sslh_ctx *c, sslh_data d, int n) {
    int32_t index[2000];
    sslh_batch b;
    int i;
    memset(&b, 0, sizeof b);
    if (n > d.count) n = (int)d.count;
    for (i = 0; i < n; i++) index[i] = (int32_t)((int64_t)i * d.count / n);
    b.data = sslh_data_pick(d, index, n);
    for (i = 0; i < n; i++) index[i] = i;
    b.index = index;
    b.count = n;
    return sslh_batch_images(c, b);
}

/* A map of at most 1,000 test images by t-SNE, or where pca is set by principal components. */
static void draw_map(sslh_ctx *c, const char *path, sslh_net *encoder, sslh_data test, unsigned long seed, int pca) {
    sslh_data some = some_of(test, 1000, seed);
    sslh_feature_desc f = {0};
    sslh_tsne_desc t = {0};
    sslh_plot_desc plot = {0};
    sslh_batch b;
    sslh_tensor *x = sslh_features(c, encoder, some, f);
    int32_t *index = (int32_t *)malloc((size_t)some.count * sizeof *index);
    int i;
    if (!index) {
        sslh_fail(c, SSLH_E_MEMORY, "no memory for the numbers of %d images", (int)some.count);
        return;
    }
    memset(&b, 0, sizeof b);
    for (i = 0; i < (int)some.count; i++) index[i] = i;
    b.data = some;
    b.index = index;
    b.count = (int)some.count;
    plot.title = pca ? "Test images by the first two principal components" : "Test images by t-SNE of their features";
    plot.names = some.class_names;
    x = pca ? sslh_pca(c, x, 2) : sslh_tsne(c, x, t);
    sslh_picture_thumbnails(c, path, x, sslh_batch_images(c, b), some.labels, plot);
    free(index);
}

static const char *const inside_pictures[][2] = {
    {"inside.png", "What the score of the likeliest class depends on"}, {"map_tsne.png", "Test images by t-SNE"},
    {"map_pca.png", "Test images by principal components"}, {"neighbours.png", "Nearest neighbours"},
    {"filters.png", "Filters of the first layer"}, {"views.png", "Images under random crops and colours (SimCLR's)"}};
enum { INSIDE_PICTURES = sizeof inside_pictures / sizeof inside_pictures[0] };

/* All pictures of an encoder of images into a folder. Those that the encoder has nothing for are left out. */
static void draw_inside(sslh_ctx *c, const char *folder, sslh_net *encoder, sslh_data train, sslh_data test,
                        unsigned long seed) {
    char path[1200];
    sslh_inside_desc d = {0};
    sslh_tensor *first = sslh_tensor_at(encoder, 0, NULL, 0, NULL);
    int i;
    make_folder(folder);
    for (i = 0; i < INSIDE_PICTURES; i++) { /* what another run has left there is no picture of this one */
        snprintf(path, sizeof path, "%s/%s", folder, inside_pictures[i][0]);
        remove(path);
    }
    sslh_push(c);
    for (i = 0; !sslh_error(c) && i < sslh_count_tensors(encoder); i++) { /* the first weight of a convolution */
        sslh_tensor *t = sslh_tensor_at(encoder, i, NULL, 0, NULL);
        if (t->ndim == 4 && (t->shape[3] == 1 || t->shape[3] == 3)) {
            first = t;
            break;
        }
    }
    if (!sslh_error(c) && first->ndim == 4 && (first->shape[3] == 1 || first->shape[3] == 3)) {
        snprintf(path, sizeof path, "%s/filters.png", folder);
        sslh_picture_filters(c, path, first, 0);
    }
    if (!strcmp(sslh_net_query(encoder).name, "convnet")) d.tap = "block3"; /* the last map has few places */
    snprintf(path, sizeof path, "%s/inside.png", folder);
    if (test.channels == 1 || test.channels == 3)
        sslh_inside_picture(c, path, asked_net(c, encoder, train), spread_images(c, test, 8), NULL, d);
    snprintf(path, sizeof path, "%s/map_tsne.png", folder);
    draw_map(c, path, encoder, test, seed, 0);
    snprintf(path, sizeof path, "%s/map_pca.png", folder);
    draw_map(c, path, encoder, test, seed, 1);
    snprintf(path, sizeof path, "%s/neighbours.png", folder);
    picture_neighbours(c, encoder, train, test, path, "Neighbours");
    snprintf(path, sizeof path, "%s/views.png", folder);
    picture_views(c, train, SSLH_VIEWS_SIMCLR, path, "Images and views");
    sslh_pop(c);
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* Text as text: whatever a class or a file is called, it is no markup. */
static void html_text(FILE *f, const char *s) {
    for (; *s; s++) {
        if (*s == '&') fputs("&amp;", f);
        else if (*s == '<') fputs("&lt;", f);
        else if (*s == '>') fputs("&gt;", f);
        else if (*s == '"') fputs("&quot;", f);
        else if ((unsigned char)*s >= 32 || *s == '\n' || *s == '\t') fputc(*s, f);
    }
}

/* A file as text in a box of the page; nothing when there is none. */
static void html_file(FILE *f, const char *title, const char *path) {
    char line[4096];
    FILE *in = fopen(path, "rb");
    if (!in) return;
    fprintf(f, "<h2>%s</h2>\n<pre>", title);
    while (fgets(line, sizeof line, in)) html_text(f, line);
    fprintf(f, "</pre>\n");
    fclose(in);
}

/* A PNG file as a picture inside the page, in base64 (RFC 4648); nothing when there is none. */
static void html_picture(FILE *f, const char *title, const char *path) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char b[3];
    size_t n;
    FILE *in = fopen(path, "rb");
    if (!in) return;
    fprintf(f, "<h2>");
    html_text(f, title);
    fprintf(f, "</h2>\n<img alt=\"");
    html_text(f, title);
    fprintf(f, "\" src=\"data:image/png;base64,");
    while (memset(b, 0, 3), (n = fread(b, 1, 3, in)) > 0) {
        fputc(digit[b[0] >> 2], f);
        fputc(digit[(b[0] & 3) << 4 | b[1] >> 4], f);
        fputc(n > 1 ? digit[(b[1] & 15) << 2 | b[2] >> 6] : '=', f);
        fputc(n > 2 ? digit[b[2] & 63] : '=', f);
    }
    fprintf(f, "\">\n");
    fclose(in);
}

/* One curve over epochs 1 .. n as SVG; NaN where there is no value. Inf cannot be drawn. */
static void html_curve(FILE *f, const char *name, const double *y, int n) {
    double low = 0, high = 0;
    int i, any = 0, line = 0;
    for (i = 0; i < n; i++) {
        if (y[i] - y[i] != 0) continue;
        if (!any || y[i] < low) low = y[i];
        if (!any || y[i] > high) high = y[i];
        any++;
    }
    if (!any) return;
    if (high - low <= 0) high = low + 1;
    fprintf(f, "<figure><figcaption>");
    html_text(f, name);
    fprintf(f, "</figcaption><svg viewBox=\"0 0 420 180\" width=\"420\" height=\"180\" role=\"img\">"
               "<rect x=\"60\" y=\"10\" width=\"350\" height=\"140\" fill=\"none\" stroke=\"#ccc\"/>"
               "<text x=\"55\" y=\"18\" text-anchor=\"end\">%.4g</text>"
               "<text x=\"55\" y=\"150\" text-anchor=\"end\">%.4g</text>"
               "<text x=\"60\" y=\"168\">1</text><text x=\"410\" y=\"168\" text-anchor=\"end\">epoch %d</text>"
               "<path fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\" d=\"", high, low, n);
    for (i = 0; i < n; i++) {
        if (y[i] - y[i] != 0) continue;
        fprintf(f, "%s%.1f %.1f ", line++ ? "L" : "M", n > 1 ? 60 + 350.0 * i / (n - 1) : 235.0,
                150 - 140 * (y[i] - low) / (high - low));
    }
    fprintf(f, "\"/>");
    for (i = 0; i < n && any < 60; i++)
        if (y[i] - y[i] == 0)
            fprintf(f, "<circle r=\"2.5\" fill=\"#1f77b4\" cx=\"%.1f\" cy=\"%.1f\"/>",
                    n > 1 ? 60 + 350.0 * i / (n - 1) : 235.0, 150 - 140 * (y[i] - low) / (high - low));
    fprintf(f, "</svg></figure>\n");
}

/* The columns of a table of numbers with commas and a line of names, each as a curve; the first two are epoch and
   step. Of more than 2,000 rows the first are drawn. */
static void html_curves(FILE *f, const char *path) {
    enum { COLUMNS = 16, ROWS = 2000 };
    static double value[COLUMNS][ROWS];
    static char name[COLUMNS][64];
    char line[4096];
    int columns = 0, rows = 0, k;
    FILE *in = fopen(path, "rb");
    if (!in) return;
    while (rows <= ROWS && fgets(line, sizeof line, in)) {
        char *at = line, *comma;
        for (k = 0; k < columns; k++) value[k][rows - 1] = strtod("nan", NULL); /* a line may end early */
        line[strcspn(line, "\r\n")] = 0;
        for (k = 0; k < COLUMNS && at; k++, at = comma ? comma + 1 : NULL) {
            comma = strchr(at, ',');
            if (comma) *comma = 0;
            if (!rows) snprintf(name[columns++], sizeof name[0], "%.63s", at);
            else if (k < columns) {
                char *end;
                const double v = strtod(at, &end);
                if (end != at) value[k][rows - 1] = v;
            }
        }
        rows++;
    }
    fclose(in);
    if (rows < 2) return;
    fprintf(f, "<h2>Training</h2>\n");
    for (k = 2; k < columns; k++)
        if (strcmp(name[k], "seconds") != 0) html_curve(f, name[k], value[k], rows - 1);
}

/* The page: settings and log of the run (run.txt and log.csv in out; NULL: nothing was trained), a text of results, the
   pictures of a folder (NULL: none were drawn). */
static void write_report(sslh_ctx *c, const char *path, const char *out, const char *folder, const char *results) {
    char name[1200];
    int bad, i;
    FILE *f = sslh_error(c) ? NULL : fopen(path, "wb");
    if (!f) {
        sslh_fail(c, SSLH_E_FILE, "--report %s: cannot be written: %s", path, strerror(errno));
        return;
    }
    fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
               "'unsafe-inline'\">\n<title>A run of ssl.h</title>\n<style>body{font:15px sans-serif;max-width:1100px;"
               "margin:2em auto;padding:0 1em}pre{background:#f4f4f4;padding:1em;white-space:pre-wrap}"
               "img{max-width:100%%}figure{display:inline-block;"
               "margin:0 1em 1em 0}svg text{font-size:11px}</style></head><body>\n"
               "<h1>A run of ssl.h</h1>\n");
    if (out) {
        snprintf(name, sizeof name, "%s/run.txt", out);
        html_file(f, "Settings", name);
        snprintf(name, sizeof name, "%s/log.csv", out);
        html_curves(f, name);
    }
    if (results[0]) {
        fprintf(f, "<h2>Results</h2>\n<pre>");
        html_text(f, results);
        fprintf(f, "</pre>\n");
    }
    for (i = 0; i < INSIDE_PICTURES && folder; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, inside_pictures[i][0]);
        html_picture(f, inside_pictures[i][1], name);
    }
    fprintf(f, "</body></html>\n");
    bad = ferror(f);
    if (fclose(f) || bad) sslh_fail(c, SSLH_E_FILE, "--report %s: not all could be written", path);
}

#endif
