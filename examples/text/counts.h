/* What counting says of a text: the honest baseline of language models. Shared by gpt.c and fill_mask.c. */
#ifndef EXAMPLES_TEXT_COUNTS_H
#define EXAMPLES_TEXT_COUNTS_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints nats for each token behind the first train of text, by the counts of these: of tokens alone, 0.1 added to each
   count, and of pairs. A pair mixes its own count and the probability p of its second token, (count + k p) / (count of
   the first + k), with the best of k = 1, 10, 100, 1000 on this very text, which favours it. Pairs are kept in a hash
   table; when that is full, further ones do not count. */
static void counted(const int32_t *text, size_t train, size_t all, int vocabulary) {
    const size_t V = (size_t)vocabulary, slots = (size_t)1 << 22;
    double *one = (double *)calloc(V, sizeof *one), single = 0, pair[4] = {0, 0, 0, 0}, best;
    uint64_t *key = (uint64_t *)calloc(slots, sizeof *key);
    float *count = (float *)calloc(slots, sizeof *count);
    size_t i, at, left = slots / 4 * 3;
    int pass, j;
    if (!one || !key || !count || all < train + 2) {
        free(one), free(key), free(count);
        return;
    }
    for (i = 0; i < train; i++) one[text[i]]++;
    for (pass = 0; pass < 2; pass++)
        for (i = pass ? train + 1 : 1; i < (pass ? all : train); i++) {
            const uint64_t k = (uint64_t)text[i - 1] * V + (uint64_t)text[i] + 1;
            at = (size_t)(k * UINT64_C(0x9E3779B97F4A7C15) >> 42) % slots;
            while (key[at] && key[at] != k) at = (at + 1) % slots;
            if (!pass) {
                if (!key[at] && !left) continue;
                left -= !key[at];
                key[at] = k;
                count[at]++;
            } else {
                const double p = (one[text[i]] + 0.1) / ((double)train + 0.1 * (double)V);
                double strength = 1;
                single -= log(p);
                for (j = 0; j < 4; j++, strength *= 10)
                    pair[j] -= log(((double)count[at] + strength * p) / (one[text[i - 1]] + strength));
            }
        }
    for (best = pair[0], j = 1; j < 4; j++) best = pair[j] < best ? pair[j] : best;
    printf("counted: single tokens %.3f nats, pairs %.3f (on the validation text)\n",
           single / (double)(all - train - 1), best / (double)(all - train - 1));
    free(one), free(key), free(count);
}
#endif
