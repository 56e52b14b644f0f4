static int as_status(ptrdiff_t refused)
{
    return refused > 0 ? 1 : (int)refused;
}

const int STACKENS_NAME(_n_numbers) = N_NUMBERS;
const int STACKENS_NAME(_n_categories) = N_CATEGORIES;
const int STACKENS_NAME(_n_outputs) = N_OUTPUTS;
const int STACKENS_NAME(_n_classes) = N_CLASSES;

int32_t STACKENS_NAME(_code)(int category, const char *text)
{
    const struct text *keys;
    size_t length;
    int low = 0, n;
    if (text == NULL)
        return STACKENS_MISSING;
    if (category < 0 || category >= N_CATEGORIES)
        return STACKENS_UNKNOWN;
    keys = category_keys[category].texts;
    n = category_keys[category].n;
    length = strlen(text);
    while (n > 0) {
        const struct text *key = &keys[low + n / 2];
        int order = memcmp(key->bytes, text, key->length < length ? key->length : length);
        if (order == 0)
            order = (key->length > length) - (key->length < length);
        if (order == 0)
            return 2 + low + n / 2;
        if (order < 0) {
            low += n / 2 + 1;
            n -= n / 2 + 1;
        } else {
            n /= 2;
        }
    }
    return STACKENS_UNKNOWN;
}

int STACKENS_NAME(_predict_codes)(
    size_t n_rows, const double *numbers, const int32_t *codes, double *out)
{
    size_t i;
    int c;
    for (i = 0; i < n_rows; i++)
        for (c = 0; c < N_CATEGORIES; c++) {
            const int32_t code = codes[i * N_CATEGORIES + (size_t)c];
            if (code < 0 || code >= category_keys[c].n + 2)
                return -2;
        }
    return as_status(predict_rows(n_rows, numbers, codes, out));
}

int STACKENS_NAME(_predict)(
    size_t n_rows, const double *numbers, const char *const *categories, double *out)
{
    int32_t *codes;
    size_t i;
    int c, answer;
    if (N_CATEGORIES == 0 || n_rows == 0)
        return as_status(predict_rows(n_rows, numbers, NULL, out));
    codes = (int32_t *)malloc(n_rows * N_CATEGORIES * sizeof(int32_t));
    if (codes == NULL)
        return -1;
    for (i = 0; i < n_rows; i++)
        for (c = 0; c < N_CATEGORIES; c++)
            codes[i * N_CATEGORIES + (size_t)c] =
                STACKENS_NAME(_code)(c, categories[i * N_CATEGORIES + (size_t)c]);
    answer = as_status(predict_rows(n_rows, numbers, codes, out));
    free(codes);
    return answer;
}

int STACKENS_NAME(_predict_row)(
    const double *numbers, const char *const *categories, double *out)
{
    int32_t codes[N_CATEGORIES + 1] = {0};
    int c;
    for (c = 0; c < N_CATEGORIES; c++)
        codes[c] = STACKENS_NAME(_code)(c, categories[c]);
    return as_status(predict_rows(1, numbers, codes, out));
}

int STACKENS_NAME(_best)(const double *out)
{
    return best_class(out);
}

const char *STACKENS_NAME(_class_name)(int place)
{
    return place >= 0 && place < N_CLASSES ? class_names[place] : NULL;
}
