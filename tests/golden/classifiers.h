/* Written by tests/golden/make_classifiers.py with scikit-learn 1.2.1, scipy 1.10.1, numpy 1.24.2. */
static const double golden_svm[36] = {
    -0.622121961, 0.186254366, 0.29951702, -0.386044644, 0.350547792, 0.84196978, 0.156356797, -0.762377691,
    -1.39346461, 0.236479938, 0.501381009, -0.369951608, 0.044258253, -0.0569273687, 0.237096512, 0.283458801,
    0.486225063, -0.75991187, -0.0784445859, -0.128637667, 0.104540801, -0.183835341, -0.428911064, -0.226690534,
    -0.667384397, 0.140249052, -0.774035801, 0.307624449, -0.567143821, 0.0785877128, 0.334401444, 0.46717421,
    -0.420313774, 0.230223133, -0.107720142, -0.825157045
};
static const double golden_svm_objective = 391.841045;
static const double golden_svm_accuracy = 0.872;
static const double golden_logistic[36] = {
    -1.01656572, 0.431347983, 0.406195547, -0.452813858, 0.618845295, 1.12264321, 0.291889119, -0.999679451,
    -0.828082808, 0.467787203, 0.893698402, -0.680211105, 0.0685816831, -0.27984835, 0.311218649, 0.483093687,
    0.92344107, 0.351370376, -0.0405435288, -0.239961031, 0.141080453, -0.262489912, -1.00169294, -0.576440886,
    -1.16519038, 0.218022311, 0.344601433, 0.589322047, -1.08508535, 0.132935105, 0.646722086, 0.662695993,
    -0.857420975, 0.390207578, -0.14178393, 0.132110999
};
static const double golden_logistic_objective = 0.424069454;
static const double golden_logistic_accuracy = 0.873;
static const double golden_calibration = 0.0397213902;
static const double golden_tree_nodes = 149;
static const double golden_small_tree_nodes = 15;
static const double golden_small_tree_accuracy = 0.725;
static const double golden_small_tree_first[16] = {
    0.9, 0.1, 0, 0, 0.0434782609, 0.782608696, 0.0869565217, 0.0869565217,
    0.0106382979, 0.0744680851, 0.170212766, 0.744680851, 0.146067416, 0.595505618, 0.101123596, 0.157303371
};
static const double golden_forest_accuracy = 0.8491;
static const double golden_forest_out_of_bag = 0.79325;
static const double golden_forest_importance[8] = {
    0.120651, 0.144758361, 0.0807035663, 0.0830127674, 0.116090419, 0.169639473, 0.13970592, 0.145438494
};
static const double golden_forest_nodes = 14127;
static const double golden_kmeans_inertia = 11600.0577;
static const double golden_kmeans7_inertia = 8945.9827;
static const double golden_cluster_accuracy = 0.6325;
static const double golden_cluster_nmi = 0.274268651;
static const double golden_cluster_ari = 0.298029385;
static const int golden_confusion[16] = {
    243, 2, 2, 3, 5, 212, 20, 13,
    4, 31, 200, 15, 3, 15, 15, 217
};
static const double golden_precision[4] = {
    0.952941176, 0.815384615, 0.843881857, 0.875
};
static const double golden_recall[4] = {
    0.972, 0.848, 0.8, 0.868
};
static const double golden_f1[4] = {
    0.962376238, 0.831372549, 0.821355236, 0.871485944
};
