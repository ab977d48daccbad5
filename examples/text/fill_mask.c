/* BERT: words are hidden in a text and predicted from both sides; then gaps are filled.

       build/examples/fill_mask --data wiki.txt --bytes 4000000 --fill "the capital of france is [MASK] ."
       build/examples/fill_mask --bert model.safetensors --vocab vocab.txt --fill "The capital of France is [MASK]."

   The first trains a small net on windows of a text, cut into whole words, and prints its loss on the last tenth beside
   that of counted words and of counted pairs (word given the one before it). The second fills gaps with
   bert-base-uncased, whose files others publish. Without --data the text is three novels of Jane Austen. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include "counts.h"

static void fill(sslh_ctx *c, sslh_method *m, sslh_tokenizer *t, const char *text) {
    int32_t tokens[512], best[5];
    float p[5];
    int n = (int)sslh_tokenize(t, text, strlen(text), tokens, 512), i;
    if (n > 512) n = 512;
    printf("%s\n", text);
    sslh_fill_mask(m, tokens, n, 5, best, p);
    stop_on_error(c);
    for (i = 0; i < 5; i++) printf("  %4.1f %%  %s\n", 100 * (double)p[i], sslh_token_name(t, best[i]));
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "BERT (Devlin et al. 2019).\n"
                              "--data: a file of text, default three novels; options for images are errors.",
                              "  --fill TEXT    with one [MASK]                --bytes N      of the text\n"
                              "  --words N      of the vocabulary (8000)       --length N     words of a window (62)\n"
                              "  --width N      of the net (128)               --depth N      blocks (2)\n"
                              "  --save FILE    weights                        --load FILE    instead of training\n"
                              "  --bert FILE --vocab FILE                      bert-base-uncased\n");
    static const char *const of_wikipedia[] = {"the capital of [MASK] is", "he was born in the [MASK] of",
                                               "it is one of the [MASK]"};
    static const char *const of_novels[] = {"mr. [MASK] was not at home .", "she was very [MASK] to see him",
                                            "\" my dear miss [MASK] , \" said he"};
    sslh_ctx *c = options_create(&o);
    sslh_transformer_desc n;
    sslh_tokenizer_desc td;
    sslh_bert_desc b;
    sslh_train_desc d;
    sslh_tokenizer *t;
    sslh_method m;
    const char *gap = NULL, *save = NULL, *load = NULL, *bert = NULL, *vocab = NULL;
    int bytes = 0, length = 62, words = 8000, k;
    const own_option own[] = {{"--fill", OPTION_TEXT, &gap}, {"--bytes", OPTION_COUNT, &bytes},
                              {"--words", OPTION_COUNT, &words}, {"--length", OPTION_COUNT, &length},
                              {"--width", OPTION_COUNT, &n.width}, {"--depth", OPTION_COUNT, &n.depth},
                              {"--save", OPTION_TEXT, &save}, {"--load", OPTION_TEXT, &load},
                              {"--bert", OPTION_TEXT, &bert}, {"--vocab", OPTION_TEXT, &vocab}, {0}};
    memset(&n, 0, sizeof n), memset(&td, 0, sizeof td), memset(&b, 0, sizeof b), memset(&d, 0, sizeof d);
    n.kind = SSLH_BERT;
    n.depth = 2;
    options_own(own, argc, argv);
    options_without_images(&o);
    if (bert) {
        td.kind = SSLH_TOKENS_WORDPIECE;
        t = sslh_load_tokenizer(c, vocab, NULL, td);
        n.vocabulary = 30522, n.length = 512, n.width = 768, n.depth = 12, n.heads = 12;
        m = sslh_bert(c, sslh_transformer(c, n), b);
        sslh_bert_load(&m, bert);
        stop_on_error(c);
        fill(c, &m, t, gap ? gap : "The capital of France is [MASK].");
        return finish(c);
    }
    {
        size_t size = 0, all, train, room;
        char *text = sslh_load_file(c, o.data ? o.data : EXAMPLE_TEXT, &size);
        int32_t *tokens;
        sslh_data seen, unseen;
        stop_on_error(c);
        if (bytes > 0 && size > (size_t)bytes) size = (size_t)bytes;
        if (o.smoke && size > 200000) size = 200000;
        td.kind = SSLH_TOKENS_WORDS;
        td.vocabulary = words;
        td.special = "[PAD] [UNK] [CLS] [SEP] [MASK]";
        t = sslh_tokenizer_new(c, text, size / 10 * 9, td);
        room = size + 1;
        tokens = (int32_t *)malloc(room * sizeof *tokens);
        if (!tokens) sslh_fail(c, SSLH_E_MEMORY, "out of memory: the tokens of the text");
        stop_on_error(c);
        all = sslh_tokenize(t, text, size, tokens, room);
        if (all > room) all = room;
        train = all / 10 * 9;
        n.vocabulary = sslh_tokenizer_size(t);
        n.length = length + 2;
        b.cls_token = (int)sslh_or_off((float)sslh_token_id(t, "[CLS]"));
        b.sep_token = (int)sslh_or_off((float)sslh_token_id(t, "[SEP]"));
        b.mask_token = (int)sslh_or_off((float)sslh_token_id(t, "[MASK]"));
        b.pad_token = sslh_token_id(t, "[PAD]");
        b.dropout = SSLH_OFF; /* a small net and few passes */
        seen = sslh_data_stream(c, tokens, (int64_t)train, length);
        unseen = sslh_data_stream(c, tokens + train, (int64_t)(all - train), length);
        m = sslh_bert(c, sslh_transformer(c, n), b);
        stop_on_error(c);
        printf("%.0f bytes, %.0f words of %d kinds; %.0f parameters; guessing %.3f nats\n", (double)size, (double)all,
               n.vocabulary, (double)sslh_net_query(m.net).params, log((double)n.vocabulary));
        counted(tokens, train, all, n.vocabulary);
        d.epochs = o.smoke ? 1 : o.epochs ? o.epochs : 4;
        d.batch = o.batch;
        if (o.smoke) d.max_steps = 20;
        if (load) {
            sslh_load_desc l;
            memset(&l, 0, sizeof l);
            sslh_load_weights(m.net, load, l);
        } else sslh_train(c, m, seen, d);
        stop_on_error(c);
        printf("validation: %.3f nats a hidden word\n\n", (double)sslh_bert_evaluate(&m, unseen));
        if (save) sslh_save_net(m.net, save);
        for (k = 0; k < 3 && !gap; k++) fill(c, &m, t, o.data ? of_wikipedia[k] : of_novels[k]);
        if (gap) fill(c, &m, t, gap);
        free(tokens);
    }
    return finish(c);
}
