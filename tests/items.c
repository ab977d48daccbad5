/* Histories of items: the reader, what is left out, baselines, lists and ranks against their definitions; what SASRec
   and BERT4Rec draw and hide, where they count from, and what they learn of made histories. */
#include "../ssl.h"
#define TEST_SEED 7
#include "harness.h"

static sslh_items *read_text(sslh_ctx *c, const char *text, sslh_items_desc d) {
    return sslh_items_from_text(c, text, strlen(text), d);
}
static sslh_items_desc plain(void) {
    sslh_items_desc d;
    memset(&d, 0, sizeof d);
    return d;
}
/* The items of a user by their names, e.g. "b a c". */
static const char *said(const sslh_items *set, int user) {
    static char text[400];
    int count, i;
    const int32_t *h = sslh_items_history(set, user, &count);
    text[0] = 0;
    for (i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", sslh_items_name(set, h[i]));
    return text;
}
static void says(const sslh_items *set, int user, const char *text) {
    CHECK(strcmp(said(set, user), text) == 0, "user %d: \"%s\", not \"%s\"", user, said(set, user), text);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void files(void) {
    sslh_ctx *c = context(1);
    sslh_items_desc d = plain();
    sslh_items *set = read_text(c, "7 b\n7 a\n\n3 b\n  7   c  \r\n3 d", d);
    sslh_items_info info = sslh_items_query(set);
    char path[512];
    FILE *f;
    CHECK_OK(c);
    CHECK(info.users == 2 && info.items == 4 && info.actions == 5 && info.longest == 3, "%d users, %d items",
          info.users, info.items);
    says(set, 0, "b a c"), says(set, 1, "b d");
    CHECK(sslh_items_find(set, "c") == 2 && sslh_items_find(set, "x") == -1, "numbers of names");
    CHECK(strcmp(sslh_items_name(set, 4), "") == 0 && strcmp(sslh_items_name(set, -1), "") == 0, "no item");
    CHECK(sslh_items_history(set, 2, NULL) == NULL, "no user");
    d.time = 4, d.header = 1, d.rating = 3, d.least = 3; /* MovieLens; equal times stay in the order of the file */
    set = read_text(c, "user,item,rating,time\n1,x,4.5,30\n1,y,5,10\n1,low,2.5,15\n1,z,3,10\n", d);
    says(set, 0, "y z x");
    set = read_text(c, "h\n1::x one::4::-3\n1::y::4::-3.5\n", d); /* a name with a blank in it */
    says(set, 0, "y x one");
    d = plain(); /* a byte order mark is not part of the first name */
    set = read_text(c, "\xef\xbb\xbf" "1,a\n1,b\n", d);
    says(set, 0, "a b");
    d = plain(), d.user = 2, d.item = 1;
    set = read_text(c, "a b\tu 1\nc\tu 1\n", d);
    says(set, 0, "a b c");
    d = plain(), d.min_count = 2; /* without d user 3 has one line left, without which c has one, then user 2 */
    set = read_text(c, "1 a\n1 b\n2 a\n2 b\n4 c\n4 a\n3 c\n3 d\n", d);
    CHECK(sslh_items_query(set).users == 2 && sslh_items_query(set).items == 2, "what is left after several rounds");
    CHECK_OK(c);
    snprintf(path, sizeof path, "%s", test_temporary("items.txt"));
    f = fopen(path, "wb");
    CHECK(f != NULL, "%s", path);
    if (f) fputs("1 2\n1 3\n", f), fclose(f);
    set = sslh_load_items(c, path, plain());
    says(set, 0, "2 3");
    CHECK_OK(c);
    test_remove(path);
    CHECK(sslh_load_items(c, path, plain()) == NULL, "no file");
    CHECK_ERROR(c, "sslh_load_items");
    sslh_destroy(c);
}

static void wrong_files(void) {
    static const char zero[] = "1 a\n1 \0b\n";
    sslh_ctx *c = context(1);
    sslh_items_desc d = plain();
    CHECK(read_text(c, "1 a\n2\n", d) == NULL, "a column is missing");
    CHECK_ERROR(c, "sslh_items_from_text: line 2 has 1 columns, 2 are needed");
    read_text(c, "\n \n", d);
    CHECK_ERROR(c, "sslh_items_from_text: no line is left of 2");
    sslh_items_from_text(c, zero, sizeof zero - 1, d);
    CHECK_ERROR(c, "line 2: the item has a zero byte");
    read_text(c, "1,,3\n", d);
    CHECK_ERROR(c, "line 1: the item is empty");
    d.item = 1;
    read_text(c, "1 3\n", d);
    CHECK_ERROR(c, "sslh_items_from_text: .user and .item are both column 1");
    d = plain();
    d.rating = 2, d.least = (float)NAN;
    read_text(c, "1 3\n", d);
    CHECK_ERROR(c, "sslh_items_from_text: .least is NaN");
    d = plain();
    sslh_items_from_text(c, NULL, 4, d);
    CHECK_ERROR(c, "the text is NULL");
    d.time = 3;
    read_text(c, "user item time\n", d);
    CHECK_ERROR(c, "line 1: the time 'time' is no number (.header leaves out the first lines)");
    read_text(c, "1 2 3x\n", d);
    CHECK_ERROR(c, "line 1: the time '3x' is no number");
    d = plain(), d.least = 3;
    read_text(c, "1 2\n", d);
    CHECK_ERROR(c, "sslh_items_from_text: .least is 3, but .rating names no column");
    d = plain(), d.min_count = 3;
    read_text(c, "1 2\n", d);
    CHECK_ERROR(c, "no line is left of 1");
    CHECK(sslh_items_query(NULL).users == 0 && sslh_items_find(NULL, "a") == -1, "no set");
    CHECK(sslh_items_data(NULL, 5, 0).count == 0, "no data");
    sslh_destroy(c);
}

/* The last items of each user, without what is left out for validation and test. */
static void data_of(void) {
    sslh_ctx *c = context(1);
    sslh_items *set = read_text(c, "1 a\n1 b\n1 c\n1 d\n1 e\n2 a\n2 b\n3 a\n3 b\n3 c\n4 a\n", plain());
    static const int counts[3] = {3, 3, 2}, first[3] = {5, 4, 3}; /* user 3 keeps 3, 2, 1; user 4 has one item */
    for (int leave = 0; leave < 3; leave++) {
        sslh_data data = sslh_items_data(set, 3, leave);
        const int32_t *v = (const int32_t *)data.field[0].values, *n = data.field[0].lengths;
        CHECK_OK(c);
        CHECK(data.count == counts[leave] && data.field[0].shape.size[0] == 3, "%d samples", (int)data.count);
        CHECK(n[0] == 3 && v[2] == first[leave] - 1 && v[0] == v[2] - 2, "the last ones of user 1");
        CHECK(n[1] == 2 && v[3] == 0 && v[4] == 1, "nothing is taken from user 2");
    }
    sslh_items_data(set, 1, 0);
    CHECK_ERROR(c, "sslh_items_data: .length is 1");
    sslh_items_data(set, 3, 3);
    CHECK_ERROR(c, "sslh_items_data: leave is 3 (0 to 2)");
    sslh_items_data(read_text(c, "1 a\n2 a\n", plain()), 3, 0);
    CHECK_ERROR(c, "sslh_items_data: no user has two items");
    sslh_destroy(c);
}

/* --- ranks -------------------------------------------------------------------------------------------------------- */

enum { USERS = 60, ITEMS = 23 };
/* Drawn histories of 1 to 12 items, some of which repeat. */
static sslh_items *drawn(sslh_ctx *c) {
    static char text[USERS * 12 * 8];
    size_t used = 0;
    for (int u = 0; u < USERS; u++) {
        int n = 1 + (int)sslh_random_below(1, 1, (uint64_t)u, 12);
        for (int i = 0; i < n; i++) {
            float x = sslh_random_uniform(1, 2, (uint64_t)(u * 12 + i));
            used += (size_t)snprintf(text + used, sizeof text - used, "%d %d\n", u, (int)(x * x * ITEMS));
        }
    }
    return read_text(c, text, plain());
}
/* Scores that depend on the last item, with ties, or one for all. */
static void made_score(const sslh_recommender *r, const int32_t *const *history, const int *count, int n,
                       float *scores) {
    const int *kind = (const int *)r->self;
    for (int row = 0; row < n; row++)
        for (int i = 0; i < r->items; i++)
            *scores++ = *kind == 0 ? 1.0f : *kind == 2 ? (float)NAN
                      : (float)((i * 7 + history[row][count[row] - 1]) % (r->items / 2));
}

/* HR and NDCG among all items against a list that is sorted by hand; ties are means over all orders. */
static void ranks(void) {
    sslh_ctx *c = context(2);
    sslh_items *set = drawn(c);
    int items = sslh_items_query(set).items, kind = 1, k = 5, users = 0, none = 2;
    double hit = 0, ndcg = 0;
    sslh_recommender r;
    sslh_ranking_desc d;
    sslh_ranking all, some;
    memset(&r, 0, sizeof r), memset(&d, 0, sizeof d);
    r.ctx = c, r.items = items, r.score = made_score, r.self = &kind;
    d.k = k, d.negatives = SSLH_OFF;
    for (int validation = 0; validation < 2; validation++) {
        d.validation = validation;
        hit = ndcg = 0, users = 0;
        for (int u = 0; u < sslh_items_query(set).users; u++) {
            int n, seen[64] = {0}, higher = 0, same = 0, truth;
            const int32_t *h = sslh_items_history(set, u, &n);
            if (n < 3) continue;
            users++;
            for (int i = 0; i < n; i++) seen[h[i]] = 1;
            n -= 1 + validation, truth = (h[n] * 7 + h[n - 1]) % (items / 2);
            for (int i = 0; i < items; i++) {
                int s = (i * 7 + h[n - 1]) % (items / 2);
                higher += !seen[i] && s > truth, same += !seen[i] && s == truth;
            }
            for (int place = higher; place <= higher + same; place++) {
                hit += (place < k) / (1.0 + same);
                ndcg += (place < k ? log(2.0) / log(2.0 + place) : 0) / (1.0 + same);
            }
        }
        all = sslh_rank_items(r, set, d);
        CHECK_OK(c);
        CHECK(all.users == users, "%d users, %d", all.users, users);
        CHECK_NEAR(all.hit, hit / users, 1e-6);
        CHECK_NEAR(all.ndcg, ndcg / users, 1e-6);
    }
    d.validation = 0, d.negatives = 20000, d.k = 5000; /* so many that the draw is nearly the share */
    some = sslh_rank_items(r, set, d);
    CHECK(some.hit > 0.1f && some.hit < 1, "%g", (double)some.hit);
    kind = 0, d.k = 10, d.negatives = 0; /* one score for all: 10 of 101 places */
    some = sslh_rank_items(r, set, d);
    CHECK_NEAR(some.hit, 10 / 101.0, 1e-6);
    d.users = 20;
    CHECK(sslh_rank_items(r, set, d).users == 20, "users are drawn");
    kind = 1;
    some = sslh_rank_items(r, set, d), all = sslh_rank_items(r, set, d);
    CHECK(some.hit == all.hit && some.ndcg == all.ndcg, "the same draw");
    d.seed = 5;
    all = sslh_rank_items(r, set, d);
    CHECK(some.ndcg != all.ndcg, "another draw");
    CHECK_OK(c);
    r.self = &none;
    sslh_rank_items(r, set, d);
    CHECK_ERROR(c, "sslh_rank_items: a score is NaN or Inf");
    r.self = &kind, r.items = items - 1;
    sslh_rank_items(r, set, d);
    CHECK_ERROR(c, "the recommender scores");
    r.items = items;
    sslh_rank_items(r, read_text(c, "1 a\n1 b\n", plain()), d);
    CHECK_ERROR(c, "sslh_rank_items: no user has three items");
    r.score = NULL;
    sslh_rank_items(r, set, d);
    CHECK_ERROR(c, "sslh_rank_items: the recommender has no .score or no .items");
    sslh_destroy(c);
}

/* The list is sorted, leaves out the history, and ends with the items. */
static void lists(void) {
    sslh_ctx *c = context(1);
    int kind = 1;
    int32_t item[40], history[3] = {4, 9, 4}, bad[1] = {ITEMS};
    float score[40];
    sslh_recommender r;
    memset(&r, 0, sizeof r);
    r.ctx = c, r.items = ITEMS, r.score = made_score, r.self = &kind;
    for (int k = 1; k <= 40; k += 13) {
        int n = sslh_recommend(r, history, 3, k, item, score), taken[ITEMS] = {0};
        CHECK(n == (k < ITEMS - 2 ? k : ITEMS - 2), "%d of %d", n, k);
        for (int i = 0; i < n; i++) {
            CHECK(item[i] != 4 && item[i] != 9 && !taken[item[i]]++, "item %d", (int)item[i]);
            CHECK(score[i] == (float)((item[i] * 7 + 4) % (ITEMS / 2)), "its score");
            if (i) CHECK(score[i] < score[i - 1] || (score[i] == score[i - 1] && item[i] > item[i - 1]), "the order");
        }
        for (int i = 0; i < ITEMS && n == k; i++)
            if (i != 4 && i != 9 && !taken[i])
                CHECK((float)((i * 7 + 4) % (ITEMS / 2)) <= score[n - 1], "item %d is better", i);
    }
    CHECK(sslh_recommend(r, history, 3, 2, item, NULL) == 2, "without scores");
    CHECK_OK(c);
    CHECK(sslh_recommend(r, history, 0, 2, item, score) == 0, "nothing");
    CHECK_ERROR(c, "sslh_recommend: a history of 0 items, 2 to recommend");
    CHECK(sslh_recommend(r, bad, 1, 2, item, score) == 0, "nothing");
    CHECK_ERROR(c, "sslh_recommend: item 0 of the history is 23 (0 to 22)");
    sslh_destroy(c);
}

/* Popularity, neighbours and vectors by their definitions. */
static void baselines(void) {
    sslh_ctx *c = context(2);
    sslh_items *set = drawn(c);
    const int items = sslh_items_query(set).items, users = sslh_items_query(set).users;
    static char chose[USERS][ITEMS];
    const int32_t history[3] = {2, 0, 5}, *row[1];
    const int count[1] = {3};
    float s[ITEMS];
    sslh_tensor *v = sslh_persist(sslh_normal(c, sslh_dim2(items, 4), 0, 1));
    sslh_recommender r;
    row[0] = history;
    memset(chose, 0, sizeof chose);
    for (int u = 0; u < users; u++) {
        int n;
        const int32_t *h = sslh_items_history(set, u, &n);
        for (int i = 0; i < (n < 3 ? n : n - 2); i++) chose[u][h[i]] = 1;
    }
    r = sslh_item_popularity(set, 2);
    CHECK_OK(c);
    CHECK(r.items == items, "items");
    r.score(&r, row, count, 1, s);
    for (int i = 0; i < items; i++) {
        int n = 0;
        for (int u = 0; u < users; u++) n += chose[u][i];
        CHECK((int)s[i] == n, "popularity of %d: %g, %d", i, (double)s[i], n);
    }
    r = sslh_item_cosine(set, 2);
    for (int again = 0; again < 2; again++) r.score(&r, row, count, 1, s);
    for (int i = 0; i < items; i++) {
        double want = 0;
        for (int t = 0; t < 3; t++) {
            double both = 0, a = 0, b = 0;
            for (int u = 0; u < users; u++)
                both += chose[u][i] & chose[u][history[t]], a += chose[u][i], b += chose[u][history[t]];
            if (both > 0) want += both / sqrt(a * b);
        }
        CHECK_NEAR(s[i], want, 1e-5);
    }
    r = sslh_item_vectors(c, v);
    r.score(&r, row, count, 1, s);
    CHECK_OK(c);
    for (int i = 0; i < items && !sslh_error(c); i++) {
        double sum[4] = {0}, dot = 0, a = 0, b = 0;
        for (int t = 0; t < 3; t++) {
            double n = 0;
            for (int j = 0; j < 4; j++) n += pow((double)v->data[history[t] * 4 + j], 2);
            for (int j = 0; j < 4; j++) sum[j] += (double)v->data[history[t] * 4 + j] / sqrt(n);
        }
        for (int j = 0; j < 4; j++) {
            double x = (double)v->data[i * 4 + j];
            dot += x * sum[j], a += x * x, b += sum[j] * sum[j];
        }
        CHECK_NEAR(s[i], dot / sqrt(a * b), 1e-5);
    }
    sslh_item_popularity(set, -1);
    CHECK_ERROR(c, "sslh_item_popularity: leave is -1");
    sslh_item_vectors(c, sslh_zeros(c, sslh_dim1(3)));
    CHECK_ERROR(c, "sslh_item_vectors: vectors (items,D)");
    sslh_destroy(c);
}

/* --- what the methods see ----------------------------------------------------------------------------------------- */

/* Made histories: after item x comes x + 1 (mostly) or x + 2, in a circle of WHEEL items; each begins anywhere. */
enum { WHEEL = 30, RIDERS = 400, LONGEST = 12 };
static sslh_items *wheel(sslh_ctx *c) {
    static char text[RIDERS * LONGEST * 10];
    size_t used = 0;
    for (int i = 0; i < WHEEL; i++) used += (size_t)snprintf(text + used, sizeof text - used, "all %d\n", i);
    for (int u = 0; u < RIDERS; u++) {
        int x = (int)sslh_random_below(2, 1, (uint64_t)u, WHEEL), n = 5 + (int)sslh_random_below(2, 2, (uint64_t)u, 8);
        for (int i = 0; i < n; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%d %d\n", u, x);
            x = (x + 1 + (sslh_random_below(2, 3, (uint64_t)(u * LONGEST + i), 5) == 0)) % WHEEL;
        }
    }
    return read_text(c, text, plain());
}
#if SSLH_WITH_SASREC || SSLH_WITH_BERT4REC
static sslh_net *small(sslh_ctx *c, int vocabulary, int causal) {
    sslh_transformer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = SSLH_SASREC, d.vocabulary = vocabulary, d.length = LONGEST, d.width = 16, d.causal = causal;
    return sslh_transformer(c, d);
}
/* The samples of a batch in the order of their lengths, equal ones as they come. */
static void in_order(const sslh_batch *b, const int32_t *lengths, int *order) {
    for (int n = 0; n < b->count; n++) {
        int at = n;
        for (; at > 0 && lengths[order[at - 1]] > lengths[b->index[n]]; at--) order[at] = order[at - 1];
        order[at] = b->index[n];
    }
}
#endif

#if SSLH_WITH_SASREC
static sslh_method sasrec(sslh_ctx *c, sslh_net *net, int negatives, float dropout) {
    sslh_sasrec_desc d;
    memset(&d, 0, sizeof d);
    d.negatives = negatives, d.dropout = dropout;
    return sslh_sasrec(c, net, d);
}

/* Inputs, answers and positions are those of the histories; no drawn item is in one; another epoch draws others. */
static void sasrec_draws(void) {
    enum { N = 50, K = 3 };
    sslh_ctx *c = context(1);
    sslh_items *set = wheel(c);
    sslh_data data = sslh_items_data(set, LONGEST, 2);
    sslh_method m = sasrec(c, small(c, WHEEL, 0), K, (float)SSLH_OFF);
    sslh_batch b = first_batch(c, data, N);
    static int32_t before[N * LONGEST * (1 + K)];
    int again = 0, all = 0;
    for (int epoch = 0; epoch < 2; epoch++) {
        sslh_view_set v;
        sslh_tensor *x, *p, *lengths, *items;
        int longest = 0, row = 0, order[N];
        memset(&v, 0, sizeof v);
        b.epoch = epoch;
        m.views(&m, &b, &v);
        CHECK_OK(c);
        if (sslh_error(c)) break;
        x = sslh_view_get(&v, "tokens"), p = sslh_view_get(&v, "positions"), lengths = sslh_view_get(&v, "lengths");
        items = sslh_view_get(&v, "items");
        in_order(&b, data.field[0].lengths, order);
        for (int n = 0; n < N; n++) {
            const int32_t *h = (const int32_t *)data.field[0].values + (size_t)order[n] * LONGEST;
            const int length = data.field[0].lengths[order[n]];
            longest = length > longest ? length : longest;
            CHECK(lengths->ints[n] == length - 1, "its length");
            for (int t = 0; t < length - 1; t++, row++) {
                const int32_t *item = items->ints + row * (1 + K);
                CHECK(x->ints[n * x->shape[1] + t] == h[t], "an item");
                CHECK(p->ints[n * x->shape[1] + t] == LONGEST - (length - 1) + t, "its position");
                CHECK(sslh_view_get(&v, "places")->ints[row] == n * x->shape[1] + t && item[0] == h[t + 1],
                      "the next one");
                for (int k = 1; k <= K; k++) {
                    for (int i = 0; i < length; i++) CHECK(item[k] != h[i], "a drawn item was chosen");
                    CHECK(item[k] >= 0 && item[k] < WHEEL, "an item");
                    again += epoch && before[row * (1 + K) + k] == item[k], all += epoch;
                }
            }
        }
        CHECK(row == items->shape[0] && x->shape[1] == longest - 1, "sizes");
        memcpy(before, items->ints, items->count * sizeof *before);
    }
    CHECK(again < all / 8, "%d of %d are the same in the next epoch", again, all);
    { /* rows that run in several groups give what small batches of one group do */
        double whole = 0, parts = 0, answers = 0;
        for (int part = -1; part < 5; part++) {
            sslh_batch some = b;
            sslh_view_set v;
            memset(&v, 0, sizeof v);
            if (part >= 0) some.index = b.index + 10 * part, some.count = 10;
            m.views(&m, &some, &v);
            if (part < 0) whole = sslh_item(m.loss(&m, &v, 0));
            else {
                const double M = sslh_view_get(&v, "items")->shape[0];
                parts += M * (double)sslh_item(m.loss(&m, &v, 0)), answers += M;
            }
            CHECK_OK(c);
        }
        CHECK_NEAR(whole, parts / answers, 1e-5);
    }
    sslh_destroy(c);
}

/* The loss by its equations from the scores of the net, with two drawn items and with all; what stands behind the end
   of a history means nothing. */
static void sasrec_loss(void) {
    for (int negatives = SSLH_OFF; negatives <= 2; negatives += 3) {
        sslh_ctx *c = context(2);
        static int32_t x[4 * 7] = {1, 5, 2, 9, 4, 8, 3,  6, 7, 0, 0, 0, 0, 0,  9, 9, 9, 9, 9, 9, 9,  2, 4, 6, 8, 1};
        static const int32_t lengths[4] = {7, 2, 1, 5};
        sslh_net *net = small(c, 30, 0);
        sslh_method m = sasrec(c, net, negatives, (float)SSLH_OFF);
        sslh_field f;
        sslh_data data;
        sslh_batch b;
        sslh_view_set v;
        double want = 0, right = 0;
        float first, second;
        int row = 0, order[4];
        memset(&f, 0, sizeof f), memset(&v, 0, sizeof v);
        f.kind = SSLH_FIELD_TOKENS, f.type = SSLH_I32, f.shape = sslh_dim1(7), f.values = x, f.lengths = lengths;
        data = sslh_data_from_fields(c, &f, 1, 4);
        b = first_batch(c, data, 4);
        m.views(&m, &b, &v);
        first = sslh_item(m.loss(&m, &v, 0));
        CHECK_OK(c);
        in_order(&b, lengths, order);
        for (int n = 0; n < 4 && !sslh_error(c); n++) {
            const int32_t *h = x + 7 * order[n];
            const int length = lengths[order[n]] - 1;
            for (int t = 0; t < length; t++, row++) { /* the history up to t alone, at the last positions */
                const int32_t *item = sslh_view_get(&v, "items")->ints + row * (negatives == 2 ? 3 : 2);
                int32_t p[7];
                sslh_forward_desc fd;
                sslh_tensor *y;
                double sum = 0;
                memset(&fd, 0, sizeof fd);
                for (int i = 0; i <= t; i++) p[i] = LONGEST - length + i;
                fd.positions = sslh_from_ints(c, sslh_dim2(1, t + 1), p);
                y = sslh_forward_ex(net, sslh_from_ints(c, sslh_dim2(1, t + 1), h), fd);
                y = sslh_transformer_scores(net, y);
                if (sslh_error(c)) break;
                y = sslh_persist(y);
                for (int i = 0; i < 30; i++) sum += exp((double)y->data[t * 30 + i]);
                if (negatives < 0) want += log(sum) - (double)y->data[t * 30 + h[t + 1]];
                else want += log(1 + exp(-(double)y->data[t * 30 + h[t + 1]]));
                for (int k = 1; k <= (negatives < 0 ? 1 : 2); k++) {
                    if (negatives > 0) want += log(1 + exp((double)y->data[t * 30 + item[k]]));
                    right += y->data[t * 30 + h[t + 1]] > y->data[t * 30 + item[k]];
                }
            }
        }
        CHECK(row == 11, "%d answers", row);
        CHECK_NEAR(first, want / 11, 2e-5);
        CHECK_NEAR(m.numbers[0].value, right / (11 * (negatives < 0 ? 1 : 2)), 1e-6);
        CHECK_NEAR(m.guessing, negatives < 0 ? log(30.0) : 3 * log(2.0), 1e-5);
        CHECK_NEAR(first, m.guessing, 0.6);
        x[12] = 77, x[20] = -5; /* behind the ends */
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        second = sslh_item(m.loss(&m, &v, 0));
        CHECK(first == second, "padding counts: %g and %g", (double)first, (double)second);
        x[12] = 0, x[20] = 9;
        CHECK_OK(c);
        sslh_destroy(c);
    }
}

/* A history is scored alike alone and in a batch, and by its last items only. */
static void sasrec_scores(void) {
    sslh_ctx *c = context(2);
    sslh_method m = sasrec(c, small(c, WHEEL, 0), 0, 0);
    sslh_recommender r = sslh_sasrec_recommender(&m);
    static const int32_t a[2] = {3, 4}, b[15] = {9, 8, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const int32_t *two[2], *one[1];
    const int counts[2] = {2, 15}, last[1] = {LONGEST}, first[1] = {2};
    float s[2 * WHEEL], t[WHEEL];
    size_t bytes;
    two[0] = a, two[1] = b, one[0] = b + 15 - LONGEST;
    CHECK_OK(c);
    CHECK(r.items == WHEEL, "items");
    r.score(&r, two, counts, 2, s);
    r.score(&r, one, last, 1, t);
    CHECK(memcmp(s + WHEEL, t, sizeof t) == 0, "older items count");
    one[0] = a;
    r.score(&r, one, first, 1, t);
    for (int i = 0; i < WHEEL; i++) CHECK_NEAR(s[i], t[i], 1e-5);
    CHECK(sslh_is_training(m.net), "the mode is as before");
    bytes = sslh_query(c).bytes;
    for (int i = 0; i < 100; i++) r = sslh_sasrec_recommender(&m);
    CHECK(sslh_query(c).bytes == bytes, "each recommender needs more memory");
    CHECK_OK(c);
    sasrec(c, small(c, WHEEL, SSLH_OFF), 0, 0);
    CHECK_ERROR(c, "sslh_sasrec: the encoder is not causal");
    r = sslh_sasrec_recommender(NULL);
    CHECK(r.score == NULL && r.items == 0, "no method");
    m = sslh_method_new(c, "other", NULL, NULL, 0);
    sslh_sasrec_recommender(&m);
    CHECK_ERROR(c, "sslh_sasrec_recommender: the method 'other' was not made by sslh_sasrec");
    sslh_destroy(c);
}

/* Both losses learn the wheel: the next item is at the top, far above popularity; the same bits for any threads. */
static void sasrec_learns(void) {
    uint64_t hash[2] = {0, 0};
    for (int run = 0; run < 4; run++) {
        const int negatives = run % 2 ? SSLH_OFF : 1;
        sslh_ctx *c = context(1 + run / 2);
        sslh_items *set = wheel(c);
        sslh_net *net = small(c, WHEEL, 0);
        sslh_method m = sasrec(c, net, negatives, 0.1f);
        sslh_train_desc d;
        sslh_ranking_desc rd;
        sslh_ranking mine, popular;
        int32_t next[2], history[3] = {4, 5, 6};
        memset(&d, 0, sizeof d), memset(&rd, 0, sizeof rd);
        d.epochs = 40, d.batch = 32, d.lr = 0.01f, d.quiet = 1;
        rd.k = 2, rd.negatives = SSLH_OFF;
        popular = sslh_rank_items(sslh_item_popularity(set, 2), set, rd);
        sslh_train(c, m, sslh_items_data(set, LONGEST, 2), d);
        mine = sslh_rank_items(sslh_sasrec_recommender(&m), set, rd);
        CHECK_OK(c);
        CHECK(popular.hit < 0.3f && mine.hit > 0.85f && mine.ndcg > 0.7f, "HR@2 %g, popularity %g", (double)mine.hit,
              (double)popular.hit);
        CHECK(sslh_recommend(sslh_sasrec_recommender(&m), history, 3, 2, next, NULL) == 2 && next[0] == 7 &&
              next[1] == 8, "after 6 come %d, %d", (int)next[0], (int)next[1]);
        if (run < 2) hash[run] = sslh_hash(net);
        CHECK(sslh_hash(net) == hash[run % 2], "other bits");
        sslh_destroy(c);
    }
}
#endif

#if SSLH_WITH_BERT4REC
static sslh_method bert4rec(sslh_ctx *c, sslh_net *net, float mask, float last) {
    sslh_bert4rec_desc d;
    memset(&d, 0, sizeof d);
    d.mask = mask, d.last = last;
    return sslh_bert4rec(c, net, d);
}

/* A share is hidden, at least one; the answers are what stood there; some histories lose their last item only. */
static void bert4rec_hides(void) {
    enum { N = 300 };
    sslh_ctx *c = context(1);
    sslh_items *set = wheel(c);
    sslh_data data = sslh_items_data(set, LONGEST, 0);
    sslh_batch b = first_batch(c, data, N);
    for (int run = 0; run < 3; run++) { /* the default 0.1; never; always the last */
        sslh_method m = bert4rec(c, small(c, WHEEL + 1, SSLH_OFF), 0.4f, run == 0 ? 0 : run == 1 ? (float)SSLH_OFF : 1);
        sslh_view_set v;
        const int32_t *x, *at, *answer;
        int T, row = 0, only_last = 0, order[N];
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        CHECK_OK(c);
        if (sslh_error(c)) break;
        x = sslh_view_get(&v, "tokens")->ints, at = sslh_view_get(&v, "places")->ints;
        answer = sslh_view_get(&v, "answers")->ints, T = sslh_view_get(&v, "tokens")->shape[1];
        in_order(&b, data.field[0].lengths, order);
        for (int n = 0; n < N; n++) {
            const int32_t *h = (const int32_t *)data.field[0].values + (size_t)order[n] * LONGEST;
            const int length = data.field[0].lengths[order[n]];
            int hid = 0, last = x[n * T + length - 1] == WHEEL;
            CHECK(sslh_view_get(&v, "lengths")->ints[n] == length, "its length");
            for (int t = 0; t < length; t++) {
                CHECK(x[n * T + t] == h[t] || x[n * T + t] == WHEEL, "an item");
                hid += x[n * T + t] == WHEEL;
                CHECK(sslh_view_get(&v, "positions")->ints[n * T + t] == LONGEST - length + t, "its position");
            }
            for (int i = 0; i < hid; i++, row++) {
                const int t = at[row] - n * T;
                CHECK(t >= 0 && t < length && x[n * T + t] == WHEEL && answer[row] == h[t], "an answer");
            }
            if (hid == 1 && last) only_last++;
            else CHECK(hid == (int)(0.4 * length + 0.5), "%d of %d", hid, length);
        }
        CHECK(row == sslh_view_get(&v, "places")->shape[0], "%d places", row);
        CHECK(run == 2 ? only_last == N : run == 1 ? only_last == 0 : only_last > 15 && only_last < 60,
              "%d times the last", only_last);
    }
    {   /* an encoder without room for [MASK] would take the last item for it */
        sslh_method m = bert4rec(c, small(c, WHEEL, SSLH_OFF), 0.4f, 0);
        sslh_view_set v;
        size_t bytes;
        memset(&v, 0, sizeof v);
        m.views(&m, &b, &v);
        CHECK_ERROR(c, "sslh_bert4rec: the data have item ");
        m.prepare(&m, data);
        CHECK_ERROR(c, "sslh_bert4rec: the data have item ");
        bytes = sslh_query(c).bytes;
        for (int i = 0; i < 100; i++) sslh_bert4rec_recommender(&m);
        CHECK(sslh_query(c).bytes == bytes, "each recommender needs more memory");
        CHECK_OK(c);
    }
    sslh_destroy(c);
}

static void bert4rec_learns(void) {
    uint64_t hash = 0;
    for (int threads = 1; threads <= 2; threads++) {
        sslh_ctx *c = context(threads);
        sslh_items *set = wheel(c);
        sslh_net *net = small(c, WHEEL + 1, SSLH_OFF);
        sslh_method m = bert4rec(c, net, 0.3f, 0);
        sslh_train_desc d;
        sslh_ranking_desc rd;
        sslh_ranking mine;
        int32_t next[2], history[3] = {4, 5, 6};
        memset(&d, 0, sizeof d), memset(&rd, 0, sizeof rd);
        d.epochs = 60, d.batch = 32, d.lr = 0.01f, d.quiet = 1;
        rd.k = 2, rd.negatives = SSLH_OFF;
        sslh_train(c, m, sslh_items_data(set, LONGEST, 2), d);
        mine = sslh_rank_items(sslh_bert4rec_recommender(&m), set, rd);
        CHECK_OK(c);
        CHECK(mine.hit > 0.8f, "HR@2 %g", (double)mine.hit);
        CHECK(sslh_recommend(sslh_bert4rec_recommender(&m), history, 3, 2, next, NULL) == 2 && next[0] == 7,
              "after 6 comes %d", (int)next[0]);
        if (threads == 1) hash = sslh_hash(net);
        CHECK(sslh_hash(net) == hash, "other bits");
        bert4rec(c, small(c, WHEEL, 0), 0, 0);
        CHECK_ERROR(c, "sslh_bert4rec: the encoder is causal");
        bert4rec(c, small(c, 2, SSLH_OFF), 0, 0);
        CHECK_ERROR(c, "sslh_bert4rec: the encoder knows 2 tokens");
        sslh_destroy(c);
    }
}
#endif

#if SSLH_WITH_WORD2VEC
/* Two groups of items that no user mixes: the vectors of one group recommend items of the same. */
static void item2vec(void) {
    enum { GROUP = 12, EACH = 300, BASKET = 6 };
    static char text[EACH * BASKET * 10];
    sslh_ctx *c = context(2);
    sslh_items *set;
    sslh_word2vec_desc d;
    sslh_tensor *v;
    int32_t best[5];
    size_t used = 0;
    int right = 0;
    for (int u = 0; u < EACH; u++)
        for (int i = 0; i < BASKET; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%d %c%d\n", u, u % 2 ? 'a' : 'b',
                                     (int)sslh_random_below(3, (uint64_t)u, (uint64_t)i, GROUP));
    set = read_text(c, text, plain());
    memset(&d, 0, sizeof d);
    d.dim = 16, d.epochs = 40, d.sample = (float)SSLH_OFF, d.batch = 64;
    v = sslh_item2vec(set, 1, d);
    CHECK_OK(c);
    CHECK(v->ndim == 2 && v->shape[0] == 2 * GROUP && v->shape[1] == 16, "vectors");
    for (int32_t i = 0; i < 2 * GROUP && !sslh_error(c); i++) {
        int n = sslh_recommend(sslh_item_vectors(c, v), &i, 1, 5, best, NULL);
        for (int j = 0; j < n; j++) right += sslh_items_name(set, best[j])[0] == sslh_items_name(set, i)[0];
    }
    CHECK(right > 110, "%d of 120 are of the group", right);
    CHECK_OK(c);
    d.subwords = 1;
    sslh_item2vec(set, 1, d);
    CHECK_ERROR(c, "sslh_item2vec: .subwords is 1, but items have no spelling");
    sslh_destroy(c);
}
#endif

/* Each allocation fails in turn: an error, no leak, and what was read before is still good. */
static void no_memory(void) {
    static const char *const text = "1 a\n1 b\n1 c\n2 a\n2 c\n2 b\n2 d\n3 a\n3 d\n3 b\n";
    long n, last = 100000;
    for (n = 1; n <= last; n++) {
        test_memory m;
        sslh_desc d;
        sslh_ctx *c;
        sslh_items *set;
        sslh_ranking_desc rd;
        int32_t best[2], history[2] = {0, 1};
        memset(&m, 0, sizeof m), memset(&d, 0, sizeof d), memset(&rd, 0, sizeof rd);
        d.threads = 1, d.alloc = test_alloc, d.release = test_release, d.user = &m;
        m.fail_at = n;
        c = sslh_create(d);
        set = read_text(c, text, plain());
        sslh_items_data(set, 3, 1);
        sslh_rank_items(sslh_item_cosine(set, 1), set, rd);
        sslh_recommend(sslh_item_popularity(set, 0), history, 2, 2, best, NULL);
#if SSLH_WITH_SASREC
        if (!sslh_error(c)) {
            sslh_method method = sasrec(c, small(c, 4, 0), 0, 0);
            sslh_rank_items(sslh_sasrec_recommender(&method), set, rd);
        }
#endif
        if (m.calls >= n) CHECK(sslh_error_code(c) == SSLH_E_MEMORY, "allocation %ld: %s", n,
                                sslh_error(c) ? sslh_error(c) : "no error");
        else {
            CHECK_OK(c);
            last = n;
        }
        if (set && m.calls >= n && n > 1) {
            m.fail_at = 0;
            sslh_clear_error(c);
            says(set, 1, "a c b d");
            sslh_rank_items(sslh_item_popularity(set, 1), set, rd);
            CHECK_OK(c);
        }
        sslh_destroy(c);
        CHECK(m.live == 0, "allocation %ld: %ld blocks leak", n, m.live);
    }
    CHECK(n > 20 && n < 1000, "%ld allocations", n);
}

/* A call that fails for want of memory keeps none, and what it returns is of no use once the error was cleared. */
static void failed_calls(void) {
    test_memory m;
    sslh_desc d;
    sslh_ctx *c;
    sslh_items *set;
    sslh_tensor *vectors;
    int32_t history = 3, best[2];
    memset(&m, 0, sizeof m), memset(&d, 0, sizeof d);
    d.threads = 1, d.alloc = test_alloc, d.release = test_release, d.user = &m;
    c = sslh_create(d);
    set = read_text(c, "1 a\n1 b\n1 c\n2 a\n2 c\n2 d\n", plain());
    vectors = sslh_persist(sslh_full(c, sslh_dim2(4, 5), 1));
    CHECK_OK(c);
    for (int kind = 0; kind < 2; kind++)
        for (long n = 1, failed = 1; failed; n++) {
            const long live = m.live;
            sslh_recommender r;
            memset(&r, 0, sizeof r);
            m.fail_at = m.calls + n;
            if (kind) sslh_items_data(set, 3, 0);
            else r = sslh_item_vectors(c, vectors);
            m.fail_at = 0;
            failed = sslh_error(c) != NULL;
            if (!failed) continue;
            CHECK(n < 10 && m.live == live, "%d: %ld blocks after failure %ld", kind, m.live - live, n);
            if (!kind) CHECK_ERROR(c, "sslh_item_vectors: out of memory");
            sslh_clear_error(c);
            r.ctx = c;
            CHECK(sslh_recommend(r, &history, 1, 2, best, NULL) == 0, "it was not made");
            CHECK_ERROR(c, "sslh_recommend: the recommender has no .score or no .items");
        }
#if SSLH_WITH_WORD2VEC
    {
        sslh_word2vec_desc w;
        memset(&w, 0, sizeof w);
        w.min_count = 5;
        sslh_item2vec(set, 0, w);
        CHECK_ERROR(c, "sslh_item2vec: sslh_word2vec: 0 words stand in the text at least 5 times");
    }
#endif
    sslh_destroy(c);
}

TESTS_BEGIN
    TEST(files)
    TEST(failed_calls)
    TEST(no_memory)
    TEST(wrong_files)
    TEST(data_of)
    TEST(ranks)
    TEST(lists)
    TEST(baselines)
#if SSLH_WITH_SASREC
    TEST(sasrec_draws)
    TEST(sasrec_loss)
    TEST(sasrec_scores)
    TEST_LEARNS(sasrec_learns)
#endif
#if SSLH_WITH_BERT4REC
    TEST(bert4rec_hides)
    TEST_LEARNS(bert4rec_learns)
#endif
#if SSLH_WITH_WORD2VEC
    TEST_LEARNS(item2vec)
#endif
TESTS_END
