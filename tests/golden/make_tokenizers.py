#!/usr/bin/env python3
"""Tokens of odd texts and of real ones for tests/tokenizers.c:

    /usr/bin/python3 tests/golden/make_tokenizers.py [DATA [MODULES]] > tests/golden/tokenizers.h    (Debian: python3-regex)

The algorithms are written down once more as their authors publish them: BERT's tokenization.py (google-research), GPT-2's
encoder.py and CLIP's simple_tokenizer.py (OpenAI; for ftfy, which mends spelling, stands form C, as in Hugging Face's
tokenizer of CLIP). Odd texts are cut with small vocabularies that are made here, so that the test needs no files. DATA is
the folder of real data that tests know (text/, weights/): the first 10,000 lines of Wikipedia are cut with BERT's and
CLIP's own vocabularies, and with byte pairs that are trained on tinyshakespeare; kept are how many tokens there are and
their hash. MODULES is a folder node_modules with npm's @huggingface/tokenizers: then tests/golden/check_tokenizers.mjs
cuts all of that too, and differences are told on stderr. Those that remain are told in docs/tokenizers.md."""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
import regex

# Made of characters whose properties no version of Unicode since 6 has changed.
ODD = [
    '', ' ', '  ', '\n', ' \n ', 'Hello, world!', 'unaffable', "I'm sure they're here; we'll've gone, 'tis 'so.",
    "don't DON'T can't've 'S 'll", 'a  b   c\t\td\n\n\ne ', '  leading', 'trailing  ', 'x\r\ny\rz', '1234 5,678.90 3rd 2²',
    'Émile naïve Ångström ÀÉÎÕÜ ñ ø æ ß ẞ', 'e\u0301\u0301 a\u0323\u0307 a\u0307\u0323 o\u0302\u0323',
    '\u1e9b\u0323 \u0344 \u0958 \u2126 \u212a \u212b', 'ΑΣ ΑΣΑ Σ ΣΑΣ. ΟΔΥΣΣΕΥΣ ΣΣ aΣ\u00ad Σb \'Σ\' Α.Σ', 'İstanbul I ı i\u0307 İİ',
    '中文字符 和english混合', '日本語テスト カタカナ ひらがな', '한국어 한글 가각힣', '\u1112\u1161\u11ab \uac00\u11a8',
    '\uf900\ufa0e\ufa70 \u4e00\u9fa5\u3400', '🙂 👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f', 'שלום עולם ש\u05bc\u05c1', 'مرحبا بالعالم لا ـ',
    'नमस्ते दुनिया क्षि', 'ไทยภาษา', 'a\u200bb\u200cc\u200dd\ufefff', 'a\u00a0b\u2003c\u3000d\u2028e\u2029f', 'soft\u00adhyphen',
    'a\x00b\x01c\x7fd', 'a\ufffdb\ufffd', '\ue000\uf8ff', '“quotes” ‘single’ — dash … « » ¿ ¡', '$100 €50 £3 ¥ + = < > | ~ ^ `',
    'snake_case CamelCase http://a.b/c?d=e&f#g user@host.org', '½ ⅓ Ⅷ ④ ۳ ௪ 一 二', 'ﬁ ﬂ Ǆ ǅ ǆ', 'ǅ Ǆ DŽ',
    'x' * 99, 'y' * 100, 'z' * 101, 'ab' * 60, 'é' * 100, 'a' + '\u0301' * 40 + 'b', '\u0300\u0316' * 20, '[MASK] [CLS]mask[SEP] [UNK]',
    '<|endoftext|> a<|startoftext|>b<|endoftext|>', '<|endof', '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙 𐍈 𠀀 丽', '\t\x0b\x0c\x1c\x1f a', 'Ω\u0342 ᾳ ῼ ᾼ',
    '#hash ##double a#b', "''s '' 's's", '1a2b３ｃ', 'ＦＵＬＬ width', 'ѐ Ѝ Й ё', 'Å\u0327 \u0041\u0327\u030a', 'ɐ ʰ ʼ ˈ', '()[]{}<>!?.,:;']

SAMPLE = ('the quick brown fox jumps over the lazy dog; the other dogs and the foxes are quick too. unaffable people and '
          'their affairs. Hello, hello world! they\'re here and we\'ll see 1234 5678 90. naïve café Émile déjà vu. '
          '中文字符 混合 日本語 한국어 ') * 3

LETTERS = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
CLIP = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


def hash_of(ids):
    h = 14695981039346656037
    for i in ids:
        for byte in int(i).to_bytes(4, 'little'):
            h = ((h ^ byte) * 1099511628211) & 0xffffffffffffffff
    return h


# --- BERT ---------------------------------------------------------------------------------------------------------------
def is_control(ch):
    return ch not in '\t\n\r' and unicodedata.category(ch) in ('Cc', 'Cf', 'Co', 'Cs')


def is_white(ch):
    return ch in ' \t\n\r' or unicodedata.category(ch) in ('Zs', 'Zl', 'Zp')


def is_mark(ch):
    code = ord(ch)
    return (33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126 or
            unicodedata.category(ch).startswith('P'))


def is_chinese(code):
    return (0x4e00 <= code <= 0x9fff or 0x3400 <= code <= 0x4dbf or 0x20000 <= code <= 0x2a6df or 0x2a700 <= code <= 0x2b73f or
            0x2b740 <= code <= 0x2b81f or 0x2b820 <= code <= 0x2ceaf or 0xf900 <= code <= 0xfaff or 0x2f800 <= code <= 0x2fa1f)


def basic_words(text, cased):
    out = []
    for ch in text:
        if ch in '\0\ufffd' or is_control(ch):
            continue
        out.append(' ' if is_white(ch) else ' %s ' % ch if is_chinese(ord(ch)) else ch)
    words = []
    for token in ''.join(out).split(' '):
        if not cased:
            token = ''.join(ch for ch in unicodedata.normalize('NFD', token.lower()) if unicodedata.category(ch) != 'Mn')
        word = ''
        for ch in token:
            if is_mark(ch):
                words += [word, ch]
                word = ''
            else:
                word += ch
        words.append(word)
    return [w for w in words if w]


def wordpiece(text, vocab, cased, special=('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')):
    ids = []
    for part in split_special(text, special):
        if part in special:
            ids.append(vocab[part])
            continue
        for word in basic_words(part, cased):
            start, pieces = 0, []
            while start < len(word) and len(word) <= 100:
                end = len(word)
                while end > start and ('##' if start else '') + word[start:end] not in vocab:
                    end -= 1
                if end == start:
                    break
                pieces.append(vocab[('##' if start else '') + word[start:end]])
                start = end
            ids += pieces if start == len(word) else [vocab['[UNK]']]
    return ids


def split_special(text, special):
    found = regex.split('(' + '|'.join(regex.escape(s) for s in special) + ')', text) if special else [text]
    return [x for x in found if x]


# --- byte pairs ---------------------------------------------------------------------------------------------------------
def byte_names():
    prints = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    names, n = {b: chr(b) for b in prints}, 0
    for b in range(256):
        if b not in names:
            names[b] = chr(256 + n)
            n += 1
    return names, prints + [b for b in range(256) if b not in prints]


NAMES, ORDER = byte_names()


def bpe(word, ranks):
    word = list(word)
    while len(word) > 1:
        best = min(zip(word, word[1:]), key=lambda p: ranks.get(p, 1 << 60))
        if best not in ranks:
            break
        out, i = [], 0
        while i < len(word):
            if i + 1 < len(word) and (word[i], word[i + 1]) == best:
                out.append(word[i] + word[i + 1])
                i += 2
            else:
                out.append(word[i])
                i += 1
        word = out
    return word


class Pairs:
    def __init__(self, merges, clip, special):
        self.clip, self.special, self.cache = clip, special, {}
        names = [NAMES[b] for b in ORDER]
        self.vocab = {}
        for token in names + [n + '</w>' for n in names] * clip + [a + b for a, b in merges] + special:
            self.vocab.setdefault(token, len(self.vocab))
        self.ranks = {m: i for i, m in enumerate(merges)}

    def encode(self, text):
        ids = []
        for part in split_special(text, self.special):
            if part in self.special:
                ids.append(self.vocab[part])
                continue
            if self.clip:
                part = regex.sub(r'\s+', ' ', unicodedata.normalize('NFC', part)).lower()
            for word in (CLIP if self.clip else LETTERS).findall(part):
                if word not in self.cache:
                    symbols = [NAMES[b] for b in word.encode()]
                    if self.clip:
                        symbols[-1] += '</w>'
                    self.cache[word] = [self.vocab[s] for s in bpe(symbols, self.ranks)]
                ids += self.cache[word]
        return ids


def train(words, wanted, vocab, least=2):
    """Merges of byte pairs; of the most frequent the one with the smallest numbers, by vocab, which grows."""
    parts = [(list(w), n) for w, n in words.items()]
    where, count, merges = {}, Counter(), []
    for k, (word, n) in enumerate(parts):
        for pair in zip(word, word[1:]):
            count[pair] += n
            where.setdefault(pair, set()).add(k)
    while len(vocab) < wanted:
        live = [(-n, vocab[p[0]], vocab[p[1]], p) for p, n in count.items() if n >= least]
        if not live:
            break
        best = min(live)[3]
        merges.append(best)
        vocab.setdefault(best[0] + best[1], len(vocab))
        for k in where.pop(best):
            word, n = parts[k]
            for pair in zip(word, word[1:]):
                count[pair] -= n
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = [word[i] + word[i + 1]]
                i += 1
            for pair in zip(word, word[1:]):
                count[pair] += n
                where.setdefault(pair, set()).add(k)
        del count[best]
    return merges


def words_of(text, clip=False):
    if clip:
        found = CLIP.findall(regex.sub(r'\s+', ' ', unicodedata.normalize('NFC', text)).lower())
        return Counter(tuple([NAMES[b] for b in w.encode()][:-1] + [NAMES[w.encode()[-1]] + '</w>']) for w in found)
    return Counter(tuple(NAMES[b] for b in w.encode()) for w in LETTERS.findall(text))


def trained(text, wanted):
    return train(words_of(text), wanted, {NAMES[b]: i for i, b in enumerate(ORDER)})


# --- what is written ----------------------------------------------------------------------------------------------------
def c_string(data):
    out = ''
    for byte in data if isinstance(data, bytes) else data.encode():
        out += chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else '\\%03o' % byte
    return '"%s"' % out


def texts(name, items):
    print('static const char *const %s[] = {' % name)
    for item in items:
        print('    %s,' % c_string(item))
    print('    NULL};')


def rows(name, lists):
    print('static const int golden_%s[] = { /* of each text how many there are, then they */' % name)
    for ids in lists:
        print('    ' + ', '.join(str(x) for x in [len(ids)] + ids) + ',')
    print('    -1};')


def compare(modules, config, lines, ours, name):
    """Differences from npm's @huggingface/tokenizers, on stderr."""
    if not modules:
        return
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'check_tokenizers.mjs')
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'job.json')
        json.dump({'config': config, 'lines': lines}, open(path, 'w'))
        out = subprocess.run(['node', script, os.path.abspath(modules), path], stdout=subprocess.PIPE, check=True).stdout
    theirs = json.loads(out)
    odd = [i for i in range(len(lines)) if theirs[i] != ours[i]]
    print('%s: %d of %d texts differ from @huggingface/tokenizers' % (name, len(odd), len(lines)), file=sys.stderr)
    for i in odd[:8]:
        print('   %r\n      ours   %s\n      theirs %s' % (lines[i][:60], ours[i][:20], theirs[i][:20]), file=sys.stderr)


def config_of(kind, vocab, merges, special, cased=False):
    added = [{'id': vocab[s], 'content': s, 'special': True, 'normalized': False, 'lstrip': False, 'rstrip': False,
              'single_word': False} for s in special]
    if kind == 'wordpiece':
        return {'added_tokens': added, 'pre_tokenizer': {'type': 'BertPreTokenizer'}, 'post_processor': None, 'decoder': None,
                'normalizer': {'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True,
                               'strip_accents': None, 'lowercase': not cased},
                'model': {'type': 'WordPiece', 'unk_token': '[UNK]', 'continuing_subword_prefix': '##',
                          'max_input_chars_per_word': 100, 'vocab': vocab}}
    model = {'type': 'BPE', 'vocab': vocab, 'merges': [list(m) for m in merges], 'unk_token': None}
    level = {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True, 'use_regex': kind == 'bpe'}
    if kind == 'bpe':
        return {'added_tokens': added, 'normalizer': None, 'pre_tokenizer': level, 'post_processor': None, 'decoder': None,
                'model': model}
    model['end_of_word_suffix'] = '</w>'
    split = {'type': 'Split', 'pattern': {'Regex': CLIP.pattern}, 'behavior': 'Removed', 'invert': True}
    return {'added_tokens': added, 'post_processor': None, 'decoder': None, 'model': model,
            'normalizer': {'type': 'Sequence', 'normalizers': [
                {'type': 'NFC'}, {'type': 'Replace', 'pattern': {'Regex': r'\s+'}, 'content': ' '}, {'type': 'Lowercase'}]},
            'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [split, level]}}


def main():
    data, modules = (sys.argv[1:] + [None, None])[:2]
    special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    characters = sorted({ch for text in ODD for cased in (0, 1) for word in basic_words(text, cased) for ch in word})
    pieces = special + ['the', 'un', '##aff', '##able', 'hello', 'world', '##s', '##ing', 'em', '##ile', '##αc', 'xx', '##xx', '##ab']
    pieces += [ch for ch in characters if ord(ch) % 7] + ['##' + ch for ch in characters if ord(ch) % 3]
    pieces = list(dict.fromkeys(pieces))
    vocab = {p: i for i, p in enumerate(pieces)}
    pair_special, clip_special = ['<|endoftext|>'], ['<|startoftext|>', '<|endoftext|>']
    merges = trained(SAMPLE, 400)
    names = {NAMES[b]: i for i, b in enumerate(ORDER)}
    names.update({NAMES[b] + '</w>': 256 + i for i, b in enumerate(ORDER)})
    clip_merges = train(words_of(SAMPLE, True), 640, names)
    pairs, clip = Pairs(merges, False, pair_special), Pairs(clip_merges, True, clip_special)

    print('/* Written by tests/golden/make_tokenizers.py: see there. */')
    texts('golden_texts', ODD)
    print('static const int golden_text_bytes[] = {%s};' % ', '.join(str(len(t.encode())) for t in ODD))
    texts('golden_pieces', pieces)
    print('static const char golden_sample[] = %s;' % '\n    '.join(c_string(SAMPLE[i:i + 80]) for i in range(0, len(SAMPLE), 80)))
    texts('golden_merges', ['%s %s' % m for m in merges])
    texts('golden_clip_merges', ['%s %s' % m for m in clip_merges])
    jobs = (('uncased', 'wordpiece', vocab, [], special, lambda t: wordpiece(t, vocab, False), False),
            ('cased', 'wordpiece', vocab, [], special, lambda t: wordpiece(t, vocab, True), True),
            ('bpe', 'bpe', pairs.vocab, merges, pair_special, pairs.encode, False),
            ('clip', 'clip', clip.vocab, clip_merges, clip_special, clip.encode, False))
    for name, kind, words, order, marks, encode, cased in jobs:
        ids = [encode(t) for t in ODD]
        rows(name, ids)
        compare(modules, config_of(kind, words, order, marks, cased), ODD, ids, name)

    if data:
        lines = open(os.path.join(data, 'text/wiki_train.txt'), encoding='utf-8', newline='\n').read().split('\n')[:10000]
        tokens = open(os.path.join(data, 'weights/bert_vocab_30522.txt'), encoding='utf-8').read().split('\n')[:-1]
        bert = {t: i for i, t in enumerate(tokens)}
        published = gzip.open(os.path.join(data, 'weights/clip_bpe_simple_vocab_16e6.txt.gz')).read().decode().split('\n')
        big = Pairs([tuple(m.split()) for m in published[1:49152 - 256 - 2 + 1]], True, clip_special)
        play = open(os.path.join(data, 'text/tinyshakespeare.txt'), encoding='utf-8', newline='\n').read()
        play_merges = trained(play, 2047)
        own = Pairs(play_merges, False, pair_special)
        real = (('uncased', 'wordpiece', bert, [], special, lambda t: wordpiece(t, bert, False), False),
                ('cased', 'wordpiece', bert, [], special, lambda t: wordpiece(t, bert, True), True),
                ('bpe', 'bpe', own.vocab, play_merges, pair_special, own.encode, False),
                ('clip', 'clip', big.vocab, list(big.ranks), clip_special, big.encode, False))
        print('static const struct { const char *name; long tokens; unsigned long long hash; } golden_wiki[] = {')
        for name, kind, words, order, marks, encode, cased in real:
            ids = [encode(line) for line in lines]
            flat = [x for row in ids for x in row]
            print('    {"%s", %d, 0x%016xull},' % (name, len(flat), hash_of(flat)))
            compare(modules, config_of(kind, words, order, marks, cased), lines, ids, 'wikipedia, ' + name)
        print('};')


if __name__ == '__main__':
    main()
