/* The children of a node lie side by side: x <= threshold goes on at `child`, otherwise at
   `child + 1`. A leaf is its own child: z[0] is 0, and its threshold, the place of its values,
   is never below 0. So $lanes ways down are followed at once, and none waits for a branch.$comment */
struct $node {
    double threshold;
    int32_t feature;
    int32_t child;$fields
};

struct $forest {
    const struct $node *nodes;
    const int32_t *offset;
    const double *leaf;
    int n_trees;
    int leaf_width;$bits
};

/* One row, all trees. */
static void $walk_row(const struct $forest *f, const double *z, const int32_t *k, double *out)
{
    const struct $node *nodes = f->nodes;
    int32_t at[$lanes];
    int t, l;
    (void)k;
    for (t = 0; t < f->n_trees; t += $lanes) {
        const int n = f->n_trees - t < $lanes ? f->n_trees - t : $lanes;
        int32_t moved;
        for (l = 0; l < $lanes; l++)
            at[l] = l < n ? t + l : t; /* the first nodes are the roots */
        do {
            moved = 0;
            for (l = 0; l < $lanes; l++) {
                const struct $node *node = &nodes[at[l]];
                const int32_t next = node->child + ($right);
                moved |= next ^ at[l];
                at[l] = next;
            }
        } while (moved);
        for (l = 0; l < n; l++) {
            const size_t place = (size_t)nodes[at[l]].threshold;
            add_leaf(f->leaf + place * (size_t)f->leaf_width, f->leaf_width, out + f->offset[t + l]);
        }
    }
}

/* Many rows: each tree stays in the processor's cache for all of them. */
static void $walk(const struct $forest *f, int n_rows, const double *z, int z_width,
    const int32_t *k, int k_width, double *out, int width)
{
    const struct $node *nodes = f->nodes;
    int32_t at[$lanes];
    int t, r, l;
    const int whole = n_rows - n_rows % $lanes;
    for (t = 0; t < f->n_trees; t++) {
        double *const to = out + f->offset[t];
        for (r = 0; r < whole; r += $lanes) {
            int32_t moved;
            for (l = 0; l < $lanes; l++)
                at[l] = t;
            do {
                moved = 0;
                for (l = 0; l < $lanes; l++) {
                    const struct $node *node = &nodes[at[l]];
                    const int32_t next = node->child + ($right_of_lane);
                    moved |= next ^ at[l];
                    at[l] = next;
                }
            } while (moved);
            for (l = 0; l < $lanes; l++) {
                const size_t place = (size_t)nodes[at[l]].threshold;
                add_leaf(f->leaf + place * (size_t)f->leaf_width, f->leaf_width,
                    to + (size_t)(r + l) * (size_t)width);
            }
        }
    }
    for (r = whole; r < n_rows; r++)
        $walk_row(f, z + (size_t)r * (size_t)z_width, k + (size_t)r * (size_t)k_width,
            out + (size_t)r * (size_t)width);
}
