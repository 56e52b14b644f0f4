/* Rows with codes in place of texts. The answer is 0, 1 + the first row that the source refuses,
   or -1 without memory. */
static ptrdiff_t predict_blocks(size_t n_rows, const double *x, const int32_t *k, double *s,
    int32_t *w, size_t room, double *out)
{
    ptrdiff_t refused = 0;
    size_t done = 0;
    while (done < n_rows) {
        const size_t n = n_rows - done < room ? n_rows - done : room;
        const size_t found = predict_block(n, room, x, k, s, w, out);
        if (found > 0 && refused == 0)
            refused = (ptrdiff_t)(done + found);
        x += n * N_NUMBERS;
        k += n * N_CATEGORIES;
        out += n * N_OUTPUTS;
        done += n;
    }
    return refused;
}

static ptrdiff_t predict_rows(size_t n_rows, const double *x, const int32_t *k, double *out)
{
    const size_t room = n_rows < ROWS_TOGETHER ? n_rows : ROWS_TOGETHER;
    double *s;
    ptrdiff_t answer;
    static const int32_t no_codes[1] = {0};
    if (k == NULL)
        k = no_codes;
#if SCRATCH_NUMBERS <= 2048 && SCRATCH_CODES <= 2048
    if (n_rows == 1) {
        double few[SCRATCH_NUMBERS + 1];
        int32_t codes[SCRATCH_CODES + 1];
        return (ptrdiff_t)predict_block(1, 1, x, k, few, codes, out);
    }
#endif
    s = (double *)malloc(
        8 + room * (SCRATCH_NUMBERS * sizeof(double) + SCRATCH_CODES * sizeof(int32_t)));
    if (s == NULL)
        return -1;
    answer = predict_blocks(n_rows, x, k, s, (int32_t *)(s + room * SCRATCH_NUMBERS), room, out);
    free(s);
    return answer;
}
