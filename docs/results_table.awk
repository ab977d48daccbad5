# The rows of examples/images/results_cifar.c as a table of Markdown:
#     awk -f docs/results_table.awk docs/printed/results.rows
# A row is "row data=.. method=.. seed=.. settings=.. epochs=.. linear=.. ..". Rows that differ in nothing but the seed
# are one line: the mean, and behind it, when there are several seeds, the standard deviation of their values.
function field(name,   i) { # the value after "name="
    for (i = 2; i <= NF; i++) if (index($i, name "=") == 1) return substr($i, length(name) + 2)
    return ""
}
function add(key, name, value) { # the value of one seed
    if (value == "") return
    n[key, name]++; sum[key, name] += value; squares[key, name] += value * value
}
function mean(key, name, digits,   m, v, k) {
    k = n[key, name]
    if (!k) return ""
    m = sum[key, name] / k; v = k > 1 ? (squares[key, name] - k * m * m) / (k - 1) : 0
    if (v < 0) v = 0
    return sprintf("%." digits "f", m) (k > 1 ? sprintf(" +- %." digits "f", sqrt(v)) : "")
}
function with(text, more) { return text == "" ? "" : text more }
$1 != "row" { next }
{
    key = field("data") " " field("train") " " field("test") " " field("method") " " field("budget") " " \
        field("size") " " field("settings") " " field("epochs") " " field("given") " " field("batch") " " \
        field("bfloat16") " " field("plain")
    if (!(key in known)) {
        known[key] = ++rows; order[rows] = key
        name[key] = field("method"); settings[key] = field("settings") == "-" ? "" : field("settings")
        if (field("batch") + 0) settings[key] = settings[key] (settings[key] == "" ? "" : ",") "batch=" field("batch")
        if (field("bfloat16") + 0) settings[key] = settings[key] (settings[key] == "" ? "" : ",") "bfloat16"
        images[key] = field("images")
        set = field("data") ", " field("train") " training and " field("test") " test images"
        if (index("; " all ";", "; " set ";") == 0) all = all (all == "" ? "" : "; ") set
    }
    seeds[key]++
    add(key, "linear", field("linear")); add(key, "knn", field("knn"))
    add(key, "block_linear", field("block_linear")); add(key, "block_knn", field("block_knn"))
    add(key, "std", field("std")); add(key, "rank", field("rank"))
    add(key, "images_s", field("images_s"))
    if (field("block") != "") {
        cells = field("grid") > 1 ? field("grid") " x " field("grid") : ""
        block = field("block") (cells == "" ? "" : " (" cells ")")
        if (index(", " blocks[key] ",", ", " block ",") == 0) blocks[key] = blocks[key] (blocks[key] == "" ? "" : ", ") block
    }
    split(field("second"), second, ":"); kind[key] = second[1]; add(key, "second", second[2])
    if (field("commit") != "" && index(" " commits ",", " " field("commit") ",") == 0)
        commits = commits (commits == "" ? "" : ", ") field("commit")
}
END {
    if (!rows) exit 1
    print "| row | seeds | images, thousands | output: linear | output: neighbours | block (cells) | block: linear " \
        "| block: neighbours | pretext, test images | std | rank | images/s | settings |"
    print "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= rows; i++) {
        k = order[i]
        print "| " name[k] " | " seeds[k] " | " (images[k] + 0 ? sprintf("%.0f", images[k] / 1000) : "") " | " \
            mean(k, "linear", 1) " | " mean(k, "knn", 1) " | " blocks[k] " | " \
            mean(k, "block_linear", 1) " | " mean(k, "block_knn", 1) " | " \
            with(mean(k, "second", 3), " " kind[k]) " | " mean(k, "std", 3) " | " mean(k, "rank", 0) " | " \
            mean(k, "images_s", 0) " | " (settings[k] == "" ? "" : "`" settings[k] "`") " |"
    }
    print ""
    printf "%s. One row: `make results METHOD=moco SEED=1`%s.\n", all, commits == "" ? "" : "; noted at commit " commits
}
