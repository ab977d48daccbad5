/* What tokenizers make of a text. A sentence is cut into bytes, characters, words and byte pairs, which are learnt from
   a file of text (default: three novels), and also with BERT's vocabulary and CLIP's merges if you have these files.

       build/examples/tokens
       build/examples/tokens --data book.txt --text "any text" --bert vocab.txt --clip bpe_simple_vocab_16e6.txt.gz */
#define SSLH_IMPLEMENTATION
#include "../../ssl.h"
#include "../common.h"

/* The tokens of a sentence by name, and how many bytes of the file a token has. */
static void row(sslh_ctx *c, const char *name, sslh_tokenizer *t, const char *sentence, const char *text, size_t size) {
    int32_t ids[3000];
    size_t i, all, n = sslh_tokenize(t, sentence, strlen(sentence), ids, 3000);
    stop_on_error(c);
    all = sslh_tokenize(t, text, size, NULL, 0);
    printf("%s: %d tokens, %.2f bytes each in the file\n  ", name, sslh_tokenizer_size(t),
           (double)size / (double)(all ? all : 1));
    for (i = 0; i < n && i < 3000; i++) {
        char piece[200];
        sslh_detokenize(t, &ids[i], 1, piece, sizeof piece);
        printf("%s[%s]", i ? " " : "", piece);
    }
    printf("\n");
}

int main(int argc, char **argv) {
    options o = options_parse(&argc, argv, "A sentence cut into bytes, characters, words, byte pairs, WordPiece.\n"
                              "--data: a file of text, default three novels; options for images are errors.",
                              "  --text TEXT    the sentence that is cut\n"
                              "  --vocabulary N number of tokens for byte pairs (default 2000)\n"
                              "  --bert FILE    BERT's vocab.txt\n  --clip FILE    CLIP's merges\n");
    static const struct { const char *name; sslh_tokens kind; } kinds[] = {{"bytes", SSLH_TOKENS_BYTES},
        {"characters", SSLH_TOKENS_CHARACTERS}, {"words", SSLH_TOKENS_WORDS}, {"byte pairs", SSLH_TOKENS_BPE}};
    const char *sentence = "Unlabelled data teach representations, don't they?", *bert = NULL, *clip = NULL;
    sslh_ctx *c = options_create(&o);
    sslh_tokenizer_desc d = {(sslh_tokens)0, 0, 0, 0, 0, NULL, NULL, 0, (sslh_utf8)0};
    size_t size;
    char *text;
    int i, vocabulary = o.smoke ? 300 : 2000;
    const own_option own[] = {{"--text", OPTION_TEXT, &sentence}, {"--bert", OPTION_TEXT, &bert},
                              {"--clip", OPTION_TEXT, &clip}, {"--vocabulary", OPTION_COUNT, &vocabulary}, {0}};
    options_own(own, argc, argv);
    options_without_images(&o);
    text = sslh_load_file(c, o.data ? o.data : EXAMPLE_TEXT, &size);
    stop_on_error(c);
    if (o.smoke && size > 100000) size = 100000;
    for (i = 0; i < 4; i++) {
        d.kind = kinds[i].kind;
        d.vocabulary = d.kind == SSLH_TOKENS_BPE ? vocabulary : 0;
        row(c, kinds[i].name, sslh_tokenizer_new(c, text, size, d), sentence, text, size);
    }
    d.vocabulary = 0;
    d.kind = SSLH_TOKENS_WORDPIECE;
    if (bert) row(c, "BERT", sslh_load_tokenizer(c, bert, NULL, d), sentence, text, size);
    d.kind = SSLH_TOKENS_CLIP;
    if (clip) row(c, "CLIP", sslh_load_tokenizer(c, NULL, clip, d), sentence, text, size);
    return finish(c);
}
