/* CLIP (Radford et al. 2021) on emoji and their names: images find their captions, captions their images. No caption of
   the test occurs in training: a seventh of the names, with all pictures of them, is held out. Beside the recall are
   that of guessing and of nearest pixels: a test image is described by the words of the training images that look most
   like it, weighted by how rare they are.

       build/examples/clip                                        (the emoji of examples/data)
       build/examples/clip --data emoji/emoji32_train.rgb         (a set in $SSLH_DATA: four styles)
       build/examples/clip --ask "red fruit; sad face; clock"

   --data is a folder of sheets with captions.txt, a line for each image, "name | keyword, keyword", or a file of planar
   RGB of 32 x 32 pixels with the captions in a .txt beside it. Each caption becomes three: all of it, the name, and the
   keywords; each epoch draws one of them. The picture shows questions and what they find among images never seen. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <ctype.h>
#include <math.h>

enum { SIDE = 32, WORDINGS = 3, WORDS = 22, NEAREST = 5 };

typedef struct captioned {
    sslh_data data;    /* field 0 images, then WORDINGS fields of tokens */
    char **caption;    /* of each image */
    int32_t *name;     /* number of each image's name, and names in the order of these numbers */
    const char **names;
    int count, concepts;
} captioned;

/* Zeroed memory that lives until the end of the program; own frees it with everything else when size is 0. */
static void *own(size_t size) {
    static void *block[64];
    static int n;
    if (!size) {
        while (n) free(block[--n]);
        return NULL;
    }
    block[n] = n < 63 ? calloc(size, 1) : NULL;
    if (!block[n]) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return block[n++];
}

/* Splits a text into lines; returns how many. */
static int lines_of(char *text, char ***line) {
    int n = 1;
    char *p;
    for (p = text; *p; p++) n += *p == '\n';
    *line = (char **)own((size_t)n * sizeof **line);
    n = 0;
    for (p = strtok(text, "\r\n"); p; p = strtok(NULL, "\r\n")) (*line)[n++] = p;
    return n;
}

/* Images of a file of planar RGB as (count,32,32,3). */
static uint8_t *read_planar(sslh_ctx *c, const char *path, int *count) {
    const size_t area = SIDE * SIDE, each = 3 * area;
    size_t size, i, k, ch;
    const uint8_t *from = (const uint8_t *)sslh_load_file(c, path, &size);
    uint8_t *to;
    stop_on_error(c);
    *count = (int)(size / each);
    to = (uint8_t *)own((size_t)*count * each + 1);
    for (i = 0; i < (size_t)*count; i++)
        for (k = 0; k < area; k++)
            for (ch = 0; ch < 3; ch++) to[i * each + 3 * k + ch] = from[i * each + ch * area + k];
    return to;
}

/* --- captions --- */

/* Its length without the bar and what follows. */
static size_t name_length(const char *caption) {
    const char *bar = strstr(caption, " | ");
    return bar ? (size_t)(bar - caption) : strlen(caption);
}
static void number_names(captioned *s) {
    int i, k;
    s->name = (int32_t *)own((size_t)s->count * sizeof *s->name);
    s->names = (const char **)own((size_t)s->count * sizeof *s->names);
    for (i = 0; i < s->count; i++) {
        const size_t n = name_length(s->caption[i]);
        for (k = 0; k < s->concepts; k++)
            if (name_length(s->names[k]) == n && !memcmp(s->names[k], s->caption[i], n)) break;
        if (k == s->concepts) s->names[s->concepts++] = s->caption[i];
        s->name[i] = k;
    }
}
/* Held out or not depends on the name alone: FNV-1a of its letters. */
static int held_out(const char *caption, unsigned long seed) {
    uint32_t h = 2166136261u ^ (uint32_t)seed;
    size_t i, n = name_length(caption);
    for (i = 0; i < n; i++) h = (h ^ (uint8_t)caption[i]) * 16777619u;
    return (h ^ h >> 15) % 7 == 0;
}

/* Tokens of the wordings of each caption as fields 1 .. WORDINGS. */
static void tokens_of(captioned *s, sslh_tokenizer *t, sslh_field *f) {
    int i, k;
    for (k = 0; k < WORDINGS; k++) {
        int32_t *token = (int32_t *)own((size_t)s->count * WORDS * sizeof *token);
        int32_t *length = (int32_t *)own((size_t)s->count * sizeof *length);
        for (i = 0; i < s->count; i++) {
            const char *text = s->caption[i], *end = text + name_length(text);
            size_t n = strlen(text);
            if (k == 1) n = (size_t)(end - text);
            if (k == 2 && *end) n -= (size_t)(end - text) + 3, text = end + 3;
            n = sslh_tokenize(t, text, n, token + (size_t)i * WORDS, WORDS);
            length[i] = (int32_t)(n < WORDS ? n : WORDS);
        }
        f[1 + k].kind = SSLH_FIELD_TOKENS;
        f[1 + k].type = SSLH_I32;
        f[1 + k].shape = sslh_dim1(WORDS);
        f[1 + k].values = token;
        f[1 + k].lengths = length;
    }
}

/* --- what is measured --- */

typedef struct side { sslh_data data; int32_t *index, *name; int n; } side; /* training or test */

static side part(captioned *s, int test, unsigned long seed) {
    side p;
    int i;
    memset(&p, 0, sizeof p);
    p.index = (int32_t *)own((size_t)s->count * sizeof *p.index);
    p.name = (int32_t *)own((size_t)s->count * sizeof *p.name);
    for (i = 0; i < s->count; i++)
        if (held_out(s->caption[i], seed) == test) p.name[p.n] = s->name[i], p.index[p.n++] = i;
    p.data = sslh_data_pick(s->data, p.index, p.n);
    return p;
}
/* One row of each name: the places of the first ones in the part. */
static side first_of_each(captioned *s, const side *p) {
    side q;
    int i, k;
    memset(&q, 0, sizeof q);
    q.index = (int32_t *)own((size_t)p->n * sizeof *q.index + 1);
    q.name = (int32_t *)own((size_t)p->n * sizeof *q.name + 1);
    for (i = 0; i < p->n; i++) {
        for (k = 0; k < q.n && q.name[k] != p->name[i]; k++) {}
        if (k == q.n) q.name[k] = p->name[i], q.index[q.n++] = p->index[i];
    }
    q.data = sslh_data_pick(s->data, q.index, q.n);
    return q;
}

static void row(sslh_ctx *c, const char *title, sslh_tensor *images, const side *of, sslh_tensor *texts,
                const side *captions) {
    const int one = 1, five = captions->n < 5 ? captions->n : 5;
    float r[4];
    r[0] = sslh_retrieval(c, texts, captions->name, images, of->name, one).hit;
    r[1] = sslh_retrieval(c, texts, captions->name, images, of->name, five).hit;
    r[2] = sslh_retrieval(c, images, of->name, texts, captions->name, one).hit;
    r[3] = sslh_retrieval(c, images, of->name, texts, captions->name, five).hit;
    stop_on_error(c);
    printf("%-26s %8.1f %8.1f %12.1f %8.1f\n", title, 100 * (double)r[0], 100 * (double)r[1], 100 * (double)r[2],
           100 * (double)r[3]);
    fflush(stdout);
}

/* Bags of words (n,V) of captions, a word weighted by -log of the share of the training captions that have it. */
static sslh_tensor *bags(sslh_ctx *c, sslh_data data, const float *weight, int V) {
    const sslh_field *f = &data.field[1];
    sslh_tensor *x = sslh_persist(sslh_zeros(c, sslh_dim2((int)data.count, V)));
    int i, k;
    for (i = 0; i < (int)data.count && !sslh_error(c); i++) {
        const int sample = data.order ? data.order[i] : i;
        const int32_t *token = (const int32_t *)f->values + (size_t)sample * WORDS;
        for (k = 0; k < f->lengths[sample]; k++) x->data[(size_t)i * (size_t)V + (size_t)token[k]] = weight[token[k]];
    }
    return sslh_l2_normalize(c, x, 0);
}
/* Guessing, and nearest pixels: each test image gets the mean bag of the NEAREST training images most like it. */
static void baselines(sslh_ctx *c, const side *train, const side *test, const side *captions, int V) {
    float *weight = (float *)own((size_t)V * sizeof *weight);
    sslh_tensor *pixels[2], *known, *asked, *mean;
    sslh_feature_desc none;
    sslh_neighbours found;
    int64_t mark = sslh_mark(c);
    const double chance = 100.0 / captions->n;
    int i, k, j, v;
    memset(&none, 0, sizeof none);
    for (v = 0; v < V; v++) weight[v] = 1;
    known = bags(c, train->data, weight, V);
    for (v = 0; v < V && !sslh_error(c); v++) {
        for (i = 0, k = 1; i < train->n; i++) k += known->data[(size_t)i * (size_t)V + (size_t)v] > 0;
        weight[v] = (float)log((double)(train->n + 1) / k);
    }
    known = bags(c, train->data, weight, V);
    pixels[0] = sslh_features(c, NULL, train->data, none);
    pixels[1] = sslh_features(c, NULL, test->data, none);
    mean = sslh_mean(c, pixels[0], SSLH_AXIS(0), 0);
    for (i = 0; i < 2; i++) pixels[i] = sslh_persist(sslh_sub(c, pixels[i], mean));
    found = sslh_nearest(c, pixels[0], pixels[1], NEAREST);
    asked = sslh_persist(sslh_zeros(c, sslh_dim2(test->n, V)));
    stop_on_error(c);
    for (i = 0; i < test->n; i++)
        for (k = 0; k < NEAREST; k++) {
            const sslh_real *from = known->data + (size_t)found.index->ints[i * NEAREST + k] * (size_t)V;
            const sslh_real w = found.cosine->data[i * NEAREST + k];
            for (j = 0; j < V; j++) asked->data[(size_t)i * (size_t)V + (size_t)j] += w * w * from[j];
        }
    printf("%-26s %8.1f %8.1f %12.1f %8.1f\n", "guessing", chance, 5 * chance, chance, 5 * chance);
    row(c, "nearest pixels, words", asked, test, bags(c, captions->data, weight, V), captions);
    sslh_rewind(c, mark);
}

static void measure(sslh_ctx *c, const char *title, sslh_method *m, const side *test, const side *captions) {
    int64_t mark = sslh_mark(c);
    row(c, title, sslh_clip_images(m, test->data), test, sslh_clip_texts(m, captions->data, 1), captions);
    sslh_rewind(c, mark);
}
typedef struct watch { const side *test, *captions; int every; } watch;
static int each_epoch(const sslh_train_info *t, void *user) {
    const watch *w = (const watch *)user;
    char title[64];
    if (!t->epoch_end || !w->every || (t->epoch + 1) % w->every) return 0;
    snprintf(title, sizeof title, "epoch %d, loss %.3f", t->epoch + 1, (double)t->loss);
    measure(t->ctx, title, t->method, w->test, w->captions);
    return 0;
}

/* The test images that each question finds, as a picture and as names. */
static void answer(sslh_ctx *c, const options *o, sslh_method *m, sslh_tokenizer *t, captioned *s, const side *test,
                   const char *ask) {
    enum { MOST = 16, SHOWN = 8 };
    const char *rows[MOST];
    char *copy = (char *)own(strlen(ask) + 1), *p, path[1100];
    int32_t index[MOST * SHOWN];
    sslh_tensor *texts;
    sslh_neighbours found;
    sslh_grid_desc g;
    sslh_batch b;
    int n = 0, i;
    strcpy(copy, ask);
    for (p = strtok(copy, ";"); p && n < MOST; p = strtok(NULL, ";")) {
        while (isspace((unsigned char)*p)) p++;
        if (*p) rows[n++] = p;
    }
    if (!n || test->n < SHOWN) return;
    texts = sslh_clip_classes(m, t, rows, n, NULL, 0);
    found = sslh_nearest(c, sslh_clip_images(m, test->data), texts, SHOWN);
    stop_on_error(c);
    for (i = 0; i < n * SHOWN; i++) {
        index[i] = test->index[found.index->ints[i]];
        if (i % SHOWN == 0) printf("\n%s:", rows[i / SHOWN]);
        if (i % SHOWN < 4) printf("%s %.*s", i % SHOWN ? "," : "", (int)name_length(s->caption[index[i]]),
                                  s->caption[index[i]]);
    }
    printf("\n");
    memset(&g, 0, sizeof g);
    memset(&b, 0, sizeof b);
    b.data = s->data;
    b.index = index;
    b.count = n * SHOWN;
    g.columns = SHOWN;
    g.zoom = 2;
    g.rows = rows;
    g.title = "images never seen, by text; the nearest on the left";
    sslh_picture_grid_ex(c, out_path(o, path, sizeof path, "clip_answers.png"), sslh_batch_images(c, b), g);
}

/* Images and captions of --data: field 0 and the lines. */
static void load(sslh_ctx *c, options *o, captioned *s, sslh_field *images) {
    char path[1100], *text;
    size_t size;
    int lines;
    if (!o->data) o->data = "examples/data/emoji";
    snprintf(path, sizeof path, "%s/%s", getenv("SSLH_DATA") ? getenv("SSLH_DATA") : "", o->data);
    if (file_exists(o->data) || folder_exists(o->data) || !(file_exists(path) || folder_exists(path)))
        snprintf(path, sizeof path, "%s", o->data);
    size = strlen(path);
    if (folder_exists(path)) {
        sslh_data d = sslh_load_images(c, path);
        stop_on_error(c);
        *images = d.field[0];
        s->count = (int)d.count;
        snprintf(path + size, sizeof path - size, "/captions.txt");
    } else {
        images->kind = SSLH_FIELD_IMAGE;
        images->shape = sslh_dim3(SIDE, SIDE, 3);
        images->type = SSLH_U8;
        images->values = read_planar(c, path, &s->count);
        if (size > 4) snprintf(path + size - 4, sizeof path - size + 4, ".txt");
    }
    text = sslh_load_file(c, path, NULL);
    stop_on_error(c);
    lines = lines_of(text, &s->caption);
    if (lines != s->count || s->count < 50) {
        fprintf(stderr, "%s has %d lines, and there are %d images (at least 50)\n", path, lines, s->count);
        exit(finish(c) || 1);
    }
    if (o->images && o->images < s->count) s->count = o->images;
}

/* A tokenizer of the words of the training captions and of the two tokens around a text. */
static sslh_tokenizer *words_of(sslh_ctx *c, const captioned *s, unsigned long seed) {
    sslh_tokenizer_desc d;
    sslh_tokenizer *t;
    size_t size = 1, used = 0;
    char *text;
    int i;
    memset(&d, 0, sizeof d);
    d.kind = SSLH_TOKENS_WORDS;
    d.special = "<|startoftext|> <|endoftext|>";
    for (i = 0; i < s->count; i++) size += strlen(s->caption[i]) + 1;
    text = (char *)own(size);
    for (i = 0; i < s->count; i++)
        if (!held_out(s->caption[i], seed)) used += (size_t)sprintf(text + used, "%s\n", s->caption[i]);
    t = sslh_tokenizer_new(c, text, used, d);
    stop_on_error(c);
    return t;
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "CLIP (Radford et al. 2021) on emoji and their names.",
                              "  --loss N         1 softmax (default), 2 sigmoid (SigLIP)\n"
                              "  --equal N        equal captions in a batch: 1 right (default), 2 once, 3 wrong\n"
                              "  --drop-words R   share of the words that captions lose (0.3)\n"
                              "  --text-width N   --text-depth N   of the text encoder (128, 1)\n"
                              "  --head-out N     width of the embeddings (128)\n"
                              "  --dropout R      in the text encoder (0)  --crop R  least share of an image (0.5)\n"
                              "  --most R         largest 1 / temperature (100)  --decay R  of the weights (0.1)\n"
                              "  --lr R           peak rate (1e-3)\n"
                              "  --every N        measures every N epochs\n"
                              "  --ask TEXT       questions with semicolons between them\n"
                              "  --save FILE      weights, with OpenAI's names\n");
    sslh_clip_desc d;
    sslh_train_desc train_desc;
    sslh_convnet_desc nd;
    sslh_recipe views = SSLH_VIEWS_NONE;
    sslh_preprocess normalise;
    sslh_field f[1 + WORDINGS];
    sslh_tokenizer *words;
    sslh_method m;
    captioned s;
    side train, test, captions;
    watch w;
    const char *save = NULL, *ask = "red fruit; sad face; clock; woman; bird; arrow; heart; car";
    sslh_ctx *c;
    float crop = 0.5f;
    int i = 0;
    memset(&d, 0, sizeof d), memset(&train_desc, 0, sizeof train_desc), memset(&nd, 0, sizeof nd);
    memset(f, 0, sizeof f), memset(&s, 0, sizeof s), memset(&w, 0, sizeof w);
    d.drop_words = 0.3f, d.text_depth = 1;
    {
        own_option table[16];
        memset(table, 0, sizeof table);
#define OWN(n, k, t) table[i].name = n, table[i].kind = k, table[i++].to = t
        OWN("--loss", OPTION_COUNT, &d.loss), OWN("--equal", OPTION_COUNT, &d.equal);
        OWN("--drop-words", OPTION_REAL_OFF, &d.drop_words), OWN("--text-width", OPTION_COUNT, &d.text_width);
        OWN("--text-depth", OPTION_COUNT, &d.text_depth), OWN("--head-out", OPTION_COUNT, &d.head_out);
        OWN("--dropout", OPTION_REAL_OFF, &d.dropout), OWN("--most", OPTION_REAL, &d.most);
        OWN("--decay", OPTION_REAL_OFF, &train_desc.optimizer.weight_decay), OWN("--crop", OPTION_SHARE, &crop);
        OWN("--lr", OPTION_REAL, &train_desc.lr), OWN("--every", OPTION_COUNT, &w.every);
        OWN("--ask", OPTION_TEXT, &ask), OWN("--save", OPTION_TEXT, &save);
        options_own(table, argc, argv);
    }
    option_refused(o.test != NULL, "--test", "is not for this program, which holds out names");
    option_refused(o.size, "--size", "is not for this program");
    c = options_create(&o);

    load(c, &o, &s, &f[0]);
    number_names(&s);
    words = words_of(c, &s, o.seed);
    tokens_of(&s, words, f);
    s.data = sslh_data_from_fields(c, f, 1 + WORDINGS, s.count);
    train = part(&s, 0, o.seed), test = part(&s, 1, o.seed);
    captions = first_of_each(&s, &test);
    stop_on_error(c);
    printf("%d images of %d names, %d words; held out: %d images of %d names\n", train.n, s.concepts - captions.n,
           sslh_tokenizer_size(words), test.n, captions.n);
    printf("%-26s %8s %8s %12s %8s\n", "recall in % of the held-out", "text@1", "text@5", "image@1", "image@5");
    baselines(c, &train, &test, &captions, sslh_tokenizer_size(words));

    /* the encoders */
    nd.channels = 3;
    views.crop_min = crop;
    d.views = &views;
    d.vocabulary = sslh_tokenizer_size(words);
    d.start_token = sslh_token_id(words, "<|startoftext|>");
    d.end_token = sslh_token_id(words, "<|endoftext|>");
    d.length = WORDS + 2;
    sslh_data_mean_std(train.data, views.mean, views.std);
    m = sslh_clip(c, sslh_convnet(c, nd), NULL, d);
    stop_on_error(c);
    normalise = sslh_get_preprocess(m.encoder); /* as in training, for the row of the untrained encoders */
    memcpy(normalise.mean, views.mean, sizeof normalise.mean);
    memcpy(normalise.std, views.std, sizeof normalise.std);
    sslh_set_preprocess(m.encoder, normalise);
    measure(c, "untrained", &m, &test, &captions);
    w.test = &test, w.captions = &captions;
    train_desc.epochs = o.epochs ? o.epochs : o.smoke ? 1 : 60;
    if (o.batch) train_desc.batch = o.batch;
    train_desc.callback = w.every ? each_epoch : NULL;
    train_desc.user = &w;
    train_desc.quiet = w.every > 0;
    train_interruptible(c, m, train.data, train_desc);
    stop_on_error(c);
    measure(c, d.loss == SSLH_CLIP_SIGMOID ? "SigLIP" : "CLIP", &m, &test, &captions);
    answer(c, &o, &m, words, &s, &test, ask);
    if (save) sslh_clip_save(&m, save);
    i = finish(c);
    own(0);
    return i;
}
