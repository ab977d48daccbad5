# Tables of Markdown from the lines of a bench run:
#     awk -v kind=steps -f docs/bench_table.awk docs/printed/bench-NAME.txt
# The lines are "bench FAMILY/CASE/tN ours=.. peer=.. ratio=.." and "mean FAMILY/tN ratio=..", N the number of threads.
function field(name,   i) { # the value after "name="
    for (i = 3; i <= NF; i++) if (index($i, name "=") == 1) return substr($i, length(name) + 2)
    return ""
}
function plain(x) { # 45998 -> 45,998
    if (x !~ /^[0-9]+$/ || length(x) < 5) return x
    return substr(x, 1, length(x) - 3) "," substr(x, length(x) - 2)
}
function row(key) { # rows keep the order in which they first come
    if (!(key in known)) { known[key] = ++rows; order[rows] = key }
    return key
}
function mean_of(key) { # geometric mean of the ratios put in by add_ratio
    return count[key] ? sprintf("%.2f", exp(sum[key] / count[key])) : ""
}
function add_ratio(key) { sum[key] += log(field("ratio")); count[key]++ }
function share(key) { return low[key] == high[key] ? low[key] " %" : low[key] " to " high[key] " %" }
function products(s) {
    if (s == "square") return "squares, 32 to 2048"
    if (s ~ /_dw$/) return "gradients of weights"
    if (s ~ /_image/) return "convolutions of one image as products"
    if (s ~ /^conv_/) return "convolutions of a batch as products"
    if (s ~ /^vit_/) return "vision transformer, 4160 rows"
    if (s ~ /^attention_/) return "attention, 65 tokens"
    return "small layers: NT-Xent, projection, VAE, GRU"
}
function layers(s) {
    if (s == "3x3_s1") return "3x3, stride 1"
    if (s ~ /^first/) return "first layers, 1 or 3 channels"
    if (s == "3x3_s2") return "3x3, stride 2"
    if (s ~ /^1x1/) return "1x1"
    if (s ~ /^depthwise/) return "depthwise"
    if (s ~ /^grouped/) return "in groups"
    if (s ~ /^transposed/) return "transposed"
    if (s ~ /^1d/) return "one-dimensional"
    return "odd channels and sizes"
}
BEGIN {
    title["simclr_small"] = "SimCLR, small conv net, batch 128"
    title["rotnet_small"] = "rotation, small conv net, batch 128"
    title["moco_small"] = "MoCo v2, small conv net, batch 128"
    title["jigsaw_small"] = "jigsaw, small conv net, 128 puzzles"
    title["cpc_method"] = "CPC, batch 8"
    title["colorization"] = "colorization, small conv net, batch 128"
    title["gpt_small"] = "GPT, width 128, 4 layers, 12 texts of 64"
    title["bert_small"] = "BERT, width 128, 4 layers, 32 texts of 64"
    title["mae_vit_tiny"] = "MAE, ViT-tiny, batch 64"
    title["vae_mlp"] = "VAE, MLP, batch 128"
    title["cpc_audio"] = "audio encoder and GRU, batch 16"
    title["simclr_resnet18"] = "SimCLR, ResNet-18, batch 64"
    title["mlp_784_500_10"] = "MLP 784-500-10, batch 100"
}
$1 != "bench" && $1 != "mean" { next }
{ parts = split($2, p, "/"); t = p[parts]; path = $2; sub("/" t "$", "", path); bench = $1 == "bench" }
kind == "steps" && bench && p[1] == "step" && p[2] == "scaling" {
    over[p[3]] = field("ratio"); limit[p[3]] = field("limit")
}
kind == "steps" && bench && p[1] == "step" && p[2] != "scaling" {
    k = row(p[2])
    value[k, t] = plain(field("ours")) " / " plain(field("peer")); ratio[k, t] = field("ratio")
    memory[k] = field("rss") " / " field("peer_rss"); gsub(/MB/, "", memory[k])
}
kind == "means" && $1 == "mean" {
    k = row(path)
    ratio[k, t] = field("ratio"); least[k, t] = field("least"); cases[k] = field("cases")
}
kind == "products" && bench && p[1] == "matmul" && p[2] != "bfloat16" {
    k = row(products(p[2])); add_ratio(k t)
    s = field("peak") + 0
    if (!((k t) in low) || s < low[k t]) low[k t] = s
    if (s > high[k t]) high[k t] = s
}
kind == "bfloat16" && bench && p[1] == "matmul" && p[2] == "bfloat16" {
    k = row(p[3] ", " p[5])
    value[k, t] = field("ours") " / " field("peer"); ratio[k, t] = field("ratio")
}
kind == "convolutions" && bench && p[1] == "conv" && field("ratio") != "-" {
    k = row(layers(p[2])); add_ratio(k p[parts - 1] t) # the pass: forward, data, weight
}
kind == "memory" && bench && p[1] == "memory" {
    k = row(p[2]); pass = parts == 4 ? p[3] : "forward" # an update has one pass
    value[k, pass, t] = field("ours") " " field("unit") " (" field("ratio") ")"
}
END {
    if (!rows) exit 1
    if (kind == "steps") {
        print "| images/s with the update | 1 thread: ssl.h / PyTorch | ratio | 2 threads: ssl.h / PyTorch | ratio |" \
            " 2 threads over 1 | two processes over one | memory, MB |"
        print "|---|---|---|---|---|---|---|---|"
    } else if (kind == "means") {
        print "| family | cases | 1 thread: mean ratio | least | 2 threads: mean ratio | least |"
        print "|---|---|---|---|---|---|"
    } else if (kind == "products") {
        print "| shapes | cases | 1 thread: ratio | share of the peak | 2 threads: ratio | share of the peak |"
        print "|---|---|---|---|---|---|"
    } else if (kind == "bfloat16") {
        print "| product | 1 thread: bfloat16 / float, GFLOP/s | ratio | 2 threads | ratio |"
        print "|---|---|---|---|---|"
    } else if (kind == "convolutions") {
        print "| layers | cases | 1 thread: forward | data | weights | 2 threads: forward | data | weights |"
        print "|---|---|---|---|---|---|---|---|"
    } else {
        print "| operation | 1 thread: forward | backward | 2 threads: forward | backward |"
        print "|---|---|---|---|---|"
    }
    for (i = 1; i <= rows; i++) {
        k = order[i]
        if (kind == "steps")
            print "| " (k in title ? title[k] : k) " | " value[k, "t1"] " | " ratio[k, "t1"] " | " \
                value[k, "t2"] " | " ratio[k, "t2"] " | " over[k] " | " limit[k] " | " memory[k] " |"
        else if (kind == "means")
            print "| " k " | " cases[k] " | " ratio[k, "t1"] " | " least[k, "t1"] " | " ratio[k, "t2"] " | " \
                least[k, "t2"] " |"
        else if (kind == "products")
            print "| " k " | " count[k "t1"] " | " mean_of(k "t1") " | " share(k "t1") " | " mean_of(k "t2") " | " \
                share(k "t2") " |"
        else if (kind == "bfloat16")
            print "| " k " | " value[k, "t1"] " | " ratio[k, "t1"] " | " value[k, "t2"] " | " ratio[k, "t2"] " |"
        else if (kind == "convolutions")
            print "| " k " | " count[k "forwardt1"] " | " mean_of(k "forwardt1") " | " mean_of(k "datat1") " | " \
                mean_of(k "weightt1") " | " mean_of(k "forwardt2") " | " mean_of(k "datat2") " | " \
                mean_of(k "weightt2") " |"
        else
            print "| " k " | " value[k, "forward", "t1"] " | " value[k, "backward", "t1"] " | " \
                value[k, "forward", "t2"] " | " value[k, "backward", "t2"] " |"
    }
}
