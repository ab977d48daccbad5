/* What to recommend next: SASRec, BERT4Rec and item2vec learn from histories of users, in order of time. Beside their
   hit rates stand those of popularity and of neighbours, among 100 drawn items as published (20 where there are few)
   and among all of them.

       build/examples/items --data recsys/amazon_video_games.txt --epochs 201 --every 20
       build/examples/items --data movielens --like "Toy Story, Alien"        (a folder with ratings.csv, movies.csv)

   The last item of each user is the test, the one before it is for validation. Other files: a user and an item in each
   line, in order of time. Without --data a small set is made: series of films, whose parts people watch in order. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include <ctype.h>

typedef struct titles { char **of; int n; } titles; /* of each item; NULL: its name in the file */

static float real_number(const char *name, const char *text) {
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end) {
        fprintf(stderr, "%s %s: a number is needed\n", name, text);
        exit(2);
    }
    return (float)v;
}

static const char *title(const titles *t, const sslh_items *set, int item) {
    return t->of && t->of[item] ? t->of[item] : sslh_items_name(set, item);
}

/* movies.csv of MovieLens: number, title, in quotes where it has a comma, genres. */
static void read_titles(sslh_ctx *c, const sslh_items *set, const char *path, titles *t) {
    char *p = sslh_load_file(c, path, NULL), *end;
    t->n = sslh_items_query(set).items;
    t->of = (char **)calloc((size_t)t->n + 1, sizeof *t->of);
    for (; p && t->of && *p; p = end) {
        char *comma = strchr(p, ','), *name;
        int item;
        end = strchr(p, '\n');
        end = end ? end + 1 : p + strlen(p);
        if (!comma || comma > end) continue;
        *comma = 0;
        item = sslh_items_find(set, p);
        name = comma + 1;
        comma = *name == '"' ? strchr(++name, '"') : strchr(name, ',');
        if (item < 0 || !comma || comma > end) continue;
        *comma = 0;
        t->of[item] = name; /* memory of the context */
    }
}

/* Series of films: people watch the parts of one in order, then those of another, and sometimes leave one out. */
static sslh_items *make_set(sslh_ctx *c) {
    static const char *const series[8] = {"Dragon_Island", "Night_Train", "The_Lighthouse", "Robot_School",
                                          "Winter_Court", "Deep_Water", "Red_Desert", "The_Clockmaker"};
    static char text[600 * 24 * 32];
    size_t used = 0;
    sslh_items_desc d;
    int u, i;
    memset(&d, 0, sizeof d);
    for (u = 0; u < 600; u++) {
        uint64_t draw = (uint64_t)u * 1000;
        int which = (int)sslh_random_below(1, 1, draw++, 8), part = 1 + (int)sslh_random_below(1, 1, draw++, 4);
        int n = 6 + (int)sslh_random_below(1, 1, draw++, 12);
        for (i = 0; i < n; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "viewer%d %s_%d\n", u, series[which], part);
            part += 1 + (sslh_random_below(1, 1, draw++, 8) == 0);
            if (part > 7) { /* the next series is often the one that follows in the list */
                which = sslh_random_below(1, 1, draw++, 3) ? (which + 1) % 8 : (int)sslh_random_below(1, 1, draw, 8);
                draw++;
                part = 1;
            }
        }
    }
    return sslh_items_from_text(c, text, used, d);
}

static int is_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

/* A row: HR@10 and NDCG@10 among 100 drawn items, and among all. */
static void row(sslh_ctx *c, const char *name, sslh_recommender r, const sslh_items *set, int users) {
    sslh_ranking_desc d;
    sslh_ranking some, all;
    memset(&d, 0, sizeof d);
    d.users = users;
    if (sslh_items_query(set).items < 200) d.negatives = 20;
    some = sslh_rank_items(r, set, d);
    d.negatives = SSLH_OFF;
    all = sslh_rank_items(r, set, d);
    stop_on_error(c);
    printf("%-34s %8.3f %8.3f %12.4f %8.4f\n", name, (double)some.hit, (double)some.ndcg, (double)all.hit,
           (double)all.ndcg);
    fflush(stdout);
}

/* Ranks the validation items every few epochs. */
typedef struct watch {
    sslh_recommender r;
    const sslh_items *set;
    int every, users;
    sslh_train_info last;
} watch;
static int each_epoch(const sslh_train_info *info, void *user) {
    watch *w = (watch *)user;
    sslh_ranking_desc d;
    sslh_ranking v;
    if (!info->epoch_end || !w->every || (info->epoch + 1) % w->every) return 0;
    memset(&d, 0, sizeof d);
    d.validation = 1, d.users = w->users;
    if (sslh_items_query(w->set).items < 200) d.negatives = 20;
    v = sslh_rank_items(w->r, w->set, d);
    printf("  epoch %d: loss %.4f, validation HR@10 %.3f, NDCG@10 %.3f\n", info->epoch + 1, (double)info->loss,
           (double)v.hit, (double)v.ndcg);
    fflush(stdout);
    return 0;
}

/* The item whose title begins with a text, whatever the case of its letters; -1: there is none. */
static int find_title(const titles *t, const sslh_items *set, const char *text, size_t n) {
    int i, items = sslh_items_query(set).items;
    for (i = 0; i < items; i++) {
        const char *name = title(t, set, i);
        size_t k;
        for (k = 0; k < n && name[k]; k++)
            if (tolower((unsigned char)name[k]) != tolower((unsigned char)text[k])) break;
        if (k == n) return i;
    }
    return -1;
}

static void list(sslh_ctx *c, sslh_recommender r, const sslh_items *set, const titles *t, const int32_t *history,
                 int count) {
    int32_t best[8];
    float score[8];
    int i, n = sslh_recommend(r, history, count, 8, best, score);
    stop_on_error(c);
    printf("\nafter");
    for (i = count > 5 ? count - 5 : 0; i < count; i++)
        printf("%s %s", i == (count > 5 ? count - 5 : 0) ? "" : ",", title(t, set, history[i]));
    printf("\n");
    for (i = 0; i < n; i++) printf("  %6.2f  %s\n", (double)score[i], title(t, set, best[i]));
}

/* Recommendations after the titles that are told, with commas between them. */
static void list_after(sslh_ctx *c, sslh_recommender r, const sslh_items *set, const titles *t, const char *like) {
    int32_t history[64];
    int count = 0;
    while (*like && count < 64) {
        size_t n;
        int item;
        while (*like == ' ' || *like == ',') like++;
        n = strcspn(like, ",");
        if (!n) break;
        item = find_title(t, set, like, n);
        if (item < 0) printf("no title begins with \"%.*s\"\n", (int)n, like);
        else history[count++] = item;
        like += n;
    }
    if (count) list(c, r, set, t, history, count);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "SASRec (Kang & McAuley 2018), BERT4Rec (Sun et al. 2019), item2vec (Barkan "
                              "& Koenigstein 2016).",
                              "  --method NAME  sasrec (default), bert4rec, item2vec; none: baselines only\n"
                              "  --negatives N  items drawn for each place (1); 0: cross-entropy over all items\n"
                              "  --width N  --depth N  --heads N  --length N   of the net (50, 2, 1, 50)\n"
                              "  --dropout R    (0.5; bert4rec 0.1)            --mask R       of bert4rec (0.2)\n"
                              "  --lr R         peak rate (1e-3)               --every N  validates every N epochs\n"
                              "  --users N      so many are drawn to rank (10000; 0: all)\n"
                              "  --min N        users and items with fewer actions are left out (MovieLens: 5)\n"
                              "  --like TITLES  what to recommend after these, with commas between them\n"
                              "  --save FILE    weights of the net\n");
    sslh_ctx *c = options_create(&o);
    sslh_transformer_desc n;
    sslh_sasrec_desc sd;
    sslh_bert4rec_desc bd;
    sslh_items_desc id;
    sslh_train_desc d;
    sslh_items *set;
    sslh_items_info info;
    sslh_recommender best;
    sslh_method m;
    titles t;
    watch w;
    const char *method = "sasrec", *like = NULL, *save = NULL, *value;
    char path[1100];
    int k, users = 0, bert;
    memset(&n, 0, sizeof n), memset(&sd, 0, sizeof sd), memset(&bd, 0, sizeof bd), memset(&id, 0, sizeof id);
    memset(&d, 0, sizeof d), memset(&t, 0, sizeof t), memset(&w, 0, sizeof w), memset(&m, 0, sizeof m);
    for (k = 1; k < argc; k++) {
        if ((value = option_value(argc, argv, &k, "--method")) != NULL) method = value;
        else if ((value = option_value(argc, argv, &k, "--negatives")) != NULL) {
            sd.negatives = (int)option_number("--negatives", value);
            if (!sd.negatives) sd.negatives = SSLH_OFF;
        } else if ((value = option_value(argc, argv, &k, "--width")) != NULL)
            n.width = (int)option_number("--width", value);
        else if ((value = option_value(argc, argv, &k, "--depth")) != NULL)
            n.depth = (int)option_number("--depth", value);
        else if ((value = option_value(argc, argv, &k, "--heads")) != NULL)
            n.heads = (int)option_number("--heads", value);
        else if ((value = option_value(argc, argv, &k, "--length")) != NULL)
            n.length = (int)option_number("--length", value);
        else if ((value = option_value(argc, argv, &k, "--dropout")) != NULL)
            sd.dropout = bd.dropout = sslh_or_off(real_number("--dropout", value));
        else if ((value = option_value(argc, argv, &k, "--mask")) != NULL) bd.mask = real_number("--mask", value);
        else if ((value = option_value(argc, argv, &k, "--lr")) != NULL) d.lr = real_number("--lr", value);
        else if ((value = option_value(argc, argv, &k, "--every")) != NULL)
            w.every = (int)option_number("--every", value);
        else if ((value = option_value(argc, argv, &k, "--users")) != NULL) {
            users = (int)option_number("--users", value);
            if (!users) users = SSLH_OFF;
        } else if ((value = option_value(argc, argv, &k, "--min")) != NULL)
            id.min_count = (int)option_number("--min", value);
        else if ((value = option_value(argc, argv, &k, "--like")) != NULL) like = value;
        else if ((value = option_value(argc, argv, &k, "--save")) != NULL) save = value;
        else {
            fprintf(stderr, "%s: unknown option (try --help)\n", argv[k]);
            return 2;
        }
    }
    snprintf(path, sizeof path, "%s/ratings.csv", o.data ? o.data : "");
    if (!o.data) set = make_set(c);
    else if (is_file(path)) { /* MovieLens: userId,movieId,rating,timestamp */
        id.time = 4, id.header = 1;
        if (!id.min_count) id.min_count = 5;
        set = sslh_load_items(c, path, id);
        snprintf(path, sizeof path, "%s/movies.csv", o.data);
        if (is_file(path)) read_titles(c, set, path, &t);
    } else set = sslh_load_items(c, o.data, id);
    stop_on_error(c);
    info = sslh_items_query(set);
    printf("%d users, %d items, %.0f actions%s\n", info.users, info.items, (double)info.actions,
           o.data ? "" : " (made: series of films)");
    if (o.smoke) users = 200;
    printf("%-34s %8s %8s %12s %8s\n", "", "HR@10", "NDCG@10", "all: HR@10", "NDCG@10");
    row(c, "popularity", sslh_item_popularity(set, 2), set, users);
    best = sslh_item_cosine(set, 2);
    row(c, "neighbours (item-item cosine)", best, set, users);
    bert = !strcmp(method, "bert4rec");
    if (bert || !strcmp(method, "sasrec")) {
        sslh_data data;
        n.kind = SSLH_SASREC;
        if (!n.length) n.length = 50;
        n.vocabulary = info.items + bert;
        if (bert) n.causal = SSLH_OFF;
        m = bert ? sslh_bert4rec(c, sslh_transformer(c, n), bd) : sslh_sasrec(c, sslh_transformer(c, n), sd);
        data = sslh_items_data(set, n.length + !bert, 2); /* of SASRec's the last one is an answer only */
        best = bert ? sslh_bert4rec_recommender(&m) : sslh_sasrec_recommender(&m);
        d.epochs = o.epochs ? o.epochs : o.smoke ? 2 : 40;
        d.batch = o.batch;
        if (data.count < 4 * (d.batch ? d.batch : 128)) d.batch = data.count < 64 ? (int)data.count : 32;
        w.r = best, w.set = set, w.users = users;
        d.callback = w.every ? each_epoch : NULL;
        d.user = &w;
        d.quiet = w.every > 0;
        stop_on_error(c);
        train_interruptible(c, m, data, d);
        stop_on_error(c);
        row(c, bert ? "BERT4Rec" : sd.negatives < 0 ? "SASRec, cross-entropy" : "SASRec", best, set, users);
        if (save) sslh_save_net(m.encoder, save);
    } else if (!strcmp(method, "item2vec")) {
        sslh_word2vec_desc wd;
        memset(&wd, 0, sizeof wd);
        wd.epochs = o.epochs ? o.epochs : o.smoke ? 2 : 20;
        wd.dim = n.width;
        best = sslh_item_vectors(c, sslh_item2vec(set, 2, wd));
        stop_on_error(c);
        row(c, "item2vec", best, set, users);
    } else if (strcmp(method, "none") != 0) {
        fprintf(stderr, "--method %s: sasrec, bert4rec, item2vec or none\n", method);
        return 2;
    }
    if (like) list_after(c, best, set, &t, like);
    else for (k = 0; k < 2 && k < info.users; k++) {
        int count;
        const int32_t *h = sslh_items_history(set, k, &count);
        list(c, best, set, &t, h, count);
    }
    free(t.of);
    return finish(c);
}
