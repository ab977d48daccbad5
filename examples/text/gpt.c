/* GPT: a causal transformer learns a text, then goes on writing it. Beside its loss on text that it never read stand
   those of counted characters and pairs of them.

       build/examples/gpt --data tinyshakespeare.txt                      (characters)
       build/examples/gpt --data wiki.txt --bpe 2048 --bytes 4000000      (byte pairs)
       build/examples/gpt --gpt2 model.safetensors --vocab vocab.json --merges merges.txt --prompt "The river"

   The first nine tenths of the text are learnt, the last tenth is for validation. A net of GPT-2's small size, whose
   file others publish, goes on from --prompt. Without --data the text is three novels of Jane Austen. */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"
#include "counts.h"

static void write_on(sslh_ctx *c, sslh_net *net, sslh_tokenizer *t, const char *prompt, int count,
                     sslh_generate_desc how) {
    static int32_t start[4096], more[4096];
    static char text[65536];
    int n = (int)sslh_tokenize(t, prompt, strlen(prompt), start, 4096);
    if (n < 1) n = 1, start[0] = 0;
    count = count < 4096 ? count : 4096;
    n = sslh_gpt_generate(net, start, n < 4096 ? n : 4096, more, count, how);
    stop_on_error(c);
    sslh_detokenize(t, more, (size_t)n, text, sizeof text);
    printf("%s%s\n", prompt, text);
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "GPT (Radford et al. 2018, 2019).\n"
                              "--data: a file of text, default three novels; options for images are errors.",
                              "  --bpe N        byte pairs, N tokens, instead of characters   --bytes N  of the text\n"
                              "  --length N     tokens of a window (64)        --width N      of the net (128)\n"
                              "  --depth N      blocks (4)                     --heads N      (4)\n"
                              "  --lr R         peak rate (1e-3)               --dropout R    (0)\n"
                              "  --steps N      updates instead of epochs (2000 with a batch of 12)\n"
                              "  --temperature R  --top-k N  --top-p R         how text is drawn\n"
                              "  --prompt TEXT  what it begins with            --tokens N     how many to write (300)\n"
                              "  --save FILE    weights                        --load FILE    instead of training\n"
                              "  --gpt2 FILE --vocab FILE --merges FILE        a published GPT-2 (small)\n");
    sslh_ctx *c = options_create(&o);
    sslh_transformer_desc n;
    sslh_gpt_desc g;
    sslh_generate_desc how;
    sslh_tokenizer_desc td;
    sslh_train_desc d;
    sslh_tokenizer *t;
    sslh_net *net;
    const char *prompt = NULL, *save = NULL, *load = NULL, *gpt2 = NULL, *vocab = NULL, *merges = NULL;
    int bpe = 0, write = 300, bytes = 0, steps = 0;
    const own_option own[] = {
        {"--bpe", OPTION_COUNT, &bpe}, {"--bytes", OPTION_COUNT, &bytes}, {"--length", OPTION_COUNT, &n.length},
        {"--width", OPTION_COUNT, &n.width}, {"--depth", OPTION_COUNT, &n.depth}, {"--heads", OPTION_COUNT, &n.heads},
        {"--lr", OPTION_REAL, &d.lr}, {"--dropout", OPTION_REAL_OFF, &g.dropout}, {"--steps", OPTION_COUNT, &steps},
        {"--temperature", OPTION_REAL_OFF, &how.temperature}, {"--top-k", OPTION_COUNT, &how.top_k},
        {"--top-p", OPTION_SHARE, &how.top_p}, {"--tokens", OPTION_NUMBER, &write}, {"--prompt", OPTION_TEXT, &prompt},
        {"--save", OPTION_TEXT, &save}, {"--load", OPTION_TEXT, &load}, {"--gpt2", OPTION_TEXT, &gpt2},
        {"--vocab", OPTION_TEXT, &vocab}, {"--merges", OPTION_TEXT, &merges}, {0}};
    memset(&n, 0, sizeof n), memset(&g, 0, sizeof g), memset(&how, 0, sizeof how);
    memset(&td, 0, sizeof td), memset(&d, 0, sizeof d);
    n.length = 64;
    options_own(own, argc, argv);
    options_without_images(&o);
    if (gpt2) {
        sslh_load_desc l;
        memset(&l, 0, sizeof l);
        td.kind = SSLH_TOKENS_BPE;
        t = sslh_load_tokenizer(c, vocab, merges, td);
        n.vocabulary = 50257, n.length = 1024, n.width = 768, n.depth = 12, n.heads = 12;
        net = sslh_transformer(c, n);
        sslh_load_weights(net, gpt2, l);
        stop_on_error(c);
        if (!how.top_k) how.top_k = 40;
        write_on(c, net, t, prompt ? prompt : "The", o.smoke ? 5 : write, how);
        return finish(c);
    }
    {
        size_t size = 0, room, all, train;
        char *text = sslh_load_file(c, o.data ? o.data : EXAMPLE_TEXT, &size);
        int32_t *tokens;
        sslh_data seen, unseen;
        stop_on_error(c);
        if (bytes > 0 && size > (size_t)bytes) size = (size_t)bytes;
        if (o.smoke && size > 100000) size = 100000;
        td.kind = bpe ? SSLH_TOKENS_BPE : SSLH_TOKENS_CHARACTERS;
        td.vocabulary = bpe;
        t = sslh_tokenizer_new(c, text, bpe ? size / 10 * 9 : size, td);
        room = size + 1;
        tokens = (int32_t *)malloc(room * sizeof *tokens);
        if (!tokens) sslh_fail(c, SSLH_E_MEMORY, "out of memory: the tokens of the text");
        stop_on_error(c);
        all = sslh_tokenize(t, text, size, tokens, room);
        if (all > room) all = room;
        train = all / 10 * 9;
        n.vocabulary = sslh_tokenizer_size(t);
        seen = sslh_data_stream(c, tokens, (int64_t)train, n.length);
        unseen = sslh_data_stream(c, tokens + train, (int64_t)(all - train), n.length);
        stop_on_error(c);
        printf("%.0f bytes, %.0f tokens of %d kinds; %.2f bytes a token\n", (double)size, (double)all, n.vocabulary,
               (double)size / (double)all);
        counted(tokens, train, all, n.vocabulary);
        if (load) net = sslh_load_net(c, load);
        else {
            net = sslh_transformer(c, n);
            d.batch = o.batch ? o.batch : 12;
            if (o.smoke) steps = 20;
            else if (!o.epochs && steps <= 0) steps = 2000;
            d.epochs = o.epochs ? o.epochs : 1;
            if (steps > 0) { /* whole epochs of a part of the windows that makes so many updates */
                double each = (double)(seen.count / d.batch), wanted;
                if (each < 1) d.batch = (int)seen.count, each = 1;
                d.epochs = (int)ceil(steps / each);
                wanted = ceil(steps / d.epochs) * d.batch;
                if (wanted < (double)seen.count) seen = sslh_data_fraction(seen, wanted / (double)seen.count, 1);
            }
            d.warmup = 100.0f * (float)d.batch / (float)seen.count; /* 100 updates */
            printf("%.0f parameters, loss of guessing %.3f; %d epochs of %.0f windows of %d\n",
                   (double)sslh_net_query(net).params, log((double)n.vocabulary), d.epochs, (double)seen.count,
                   n.length);
            sslh_train(c, sslh_gpt(c, net, g), seen, d);
        }
        stop_on_error(c);
        {
            double nats = (double)sslh_gpt_evaluate(net, unseen);
            printf("validation: %.3f nats a token, %.3f bits a byte\n\n", nats,
                   nats / log(2.0) * (double)all / (double)size);
        }
        if (save) sslh_save_net(net, save);
        if (write > 0) write_on(c, net, t, prompt ? prompt : "\n", o.smoke ? 40 : write, how);
        free(tokens);
    }
    return finish(c);
}
