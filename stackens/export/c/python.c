#define ROWS_WITHOUT_GIL 32
#define FEW_COLUMNS 1024

/* What the functions below need, made once when the module is imported. */
static PyObject *names[N_COLUMNS];        /* of the columns */
static PyObject *readers[N_COLUMNS];      /* of values that are no plain numbers or texts */
static PyObject *codes_of[N_COLUMNS];     /* text -> code, for categories */
static PyObject *python_rows;             /* reads rows of any form, and says what is wrong */
static PyObject *python_refused;          /* says which row the source refuses, and why */
static PyObject *python_finish;           /* many answers from their bytes */
static PyObject *class_labels;            /* list, or None */

/* Rows that have been read. */
struct table {
    Py_ssize_t n;
    double *numbers;
    int32_t *codes;
    double few_numbers[N_NUMBERS < FEW_COLUMNS ? N_NUMBERS + 1 : 1];
    int32_t few_codes[N_CATEGORIES < FEW_COLUMNS ? N_CATEGORIES + 1 : 1];
    Py_buffer view; /* where the numbers are those of a buffer */
};

static int make_room(struct table *t, Py_ssize_t n)
{
    t->n = n;
    t->view.obj = NULL;
    t->numbers = t->few_numbers;
    t->codes = t->few_codes;
    if (n == 1 && N_NUMBERS < FEW_COLUMNS && N_CATEGORIES < FEW_COLUMNS)
        return 0;
    t->numbers = PyMem_New(double, n * N_NUMBERS + 1);
    t->codes = PyMem_New(int32_t, n * N_CATEGORIES + 1);
    if (t->numbers == NULL || t->codes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static void give_back(struct table *t)
{
    if (t->view.obj != NULL)
        PyBuffer_Release(&t->view);
    else if (t->numbers != t->few_numbers)
        PyMem_Free(t->numbers);
    if (t->codes != t->few_codes)
        PyMem_Free(t->codes);
}

/* --- values: -1 with an error set where Python's reader does not take them either --- */

static int read_text(PyObject *value, int column, int32_t *code)
{
    PyObject *found = PyDict_GetItemWithError(codes_of[column], value);
    if (found == NULL) {
        *code = STACKENS_UNKNOWN;
        return PyErr_Occurred() ? -1 : 0;
    }
    *code = (int32_t)PyLong_AsLong(found);
    return 0;
}

/* Whole numbers as those, others in the shortest form. */
static PyObject *text_of_float(PyObject *value)
{
    const double number = PyFloat_AS_DOUBLE(value);
    PyObject *whole, *text;
    if (number != floor(number) || fabs(number) >= 9007199254740992.0) /* 2^53 */
        return PyObject_Str(value);
    whole = PyLong_FromDouble(number);
    if (whole == NULL)
        return NULL;
    text = PyObject_Str(whole);
    Py_DECREF(whole);
    return text;
}

static int read_category(PyObject *value, int column, int32_t *code)
{
    PyObject *text;
    int answer;
    if (PyUnicode_CheckExact(value))
        return read_text(value, column, code);
    if (value == Py_None) {
        *code = STACKENS_MISSING;
        return 0;
    }
    if (PyFloat_CheckExact(value) && PyFloat_AS_DOUBLE(value) != PyFloat_AS_DOUBLE(value)) {
        *code = STACKENS_MISSING;
        return 0;
    }
    if (PyLong_CheckExact(value))
        text = PyObject_Str(value);
    else if (PyFloat_CheckExact(value))
        text = text_of_float(value);
    else
        text = PyObject_CallFunctionObjArgs(readers[column], value, names[column], NULL);
    if (text == NULL)
        return -1;
    if (text == Py_None) {
        *code = STACKENS_MISSING;
        answer = 0;
    } else {
        answer = read_text(text, column, code);
    }
    Py_DECREF(text);
    return answer;
}

static int read_other_number(PyObject *value, int column, double *number)
{
    PyObject *found = PyObject_CallFunctionObjArgs(readers[column], value, names[column], NULL);
    if (found == NULL)
        return -1;
    *number = PyFloat_AsDouble(found);
    Py_DECREF(found);
    return *number == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static int read_value(PyObject *value, int column, double *numbers, int32_t *codes)
{
    const int place = columns[column].place;
    if (columns[column].kind == CATEGORY)
        return read_category(value, column, &codes[place]);
    if (PyFloat_Check(value)) {
        numbers[place] = PyFloat_AS_DOUBLE(value);
        return 0;
    }
    if (columns[column].kind == UNREAD) {
        numbers[place] = NAN;
        return 0;
    }
    if (value == Py_None) {
        numbers[place] = NAN;
        return 0;
    }
    if (PyLong_Check(value)) {
        numbers[place] = PyLong_AsDouble(value);
        if (numbers[place] != -1.0 || !PyErr_Occurred())
            return 0;
        PyErr_Clear(); /* beyond doubles */
    }
    return read_other_number(value, column, &numbers[place]);
}

/* --- rows: 1 where they have no form that is known here, and Python must read them --- */

static int read_list(PyObject *row, double *numbers, int32_t *codes)
{
    int column;
    for (column = 0; column < N_COLUMNS; column++) {
        if (PySequence_Fast_GET_SIZE(row) != N_COLUMNS) /* also if a value's reader changes it */
            return 1;
        if (read_value(PySequence_Fast_GET_ITEM(row, column), column, numbers, codes) < 0)
            return -1;
    }
    return 0;
}

static int read_dict(PyObject *row, double *numbers, int32_t *codes)
{
    int column;
    for (column = 0; column < N_COLUMNS; column++) {
        PyObject *value;
        if (columns[column].kind == UNREAD) {
            numbers[columns[column].place] = NAN;
            continue;
        }
        value = PyDict_GetItemWithError(row, names[column]);
        if (value == NULL)
            return PyErr_Occurred() ? -1 : 1;
        if (read_value(value, column, numbers, codes) < 0)
            return -1;
    }
    return 0;
}

static int is_plain_row(PyObject *row)
{
    return PyDict_CheckExact(row) || PyList_CheckExact(row) || PyTuple_CheckExact(row);
}

static int read_plain_row(PyObject *row, double *numbers, int32_t *codes)
{
    if (PyDict_CheckExact(row))
        return read_dict(row, numbers, codes);
    return is_plain_row(row) ? read_list(row, numbers, codes) : 1;
}

static int read_rows(PyObject *rows, struct table *t)
{
    Py_ssize_t i;
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(rows);
    int answer = make_room(t, n);
    for (i = 0; i < n && answer == 0; i++) {
        PyObject *row;
        if (PySequence_Fast_GET_SIZE(rows) != n)
            return 1;
        row = PySequence_Fast_GET_ITEM(rows, i);
        Py_INCREF(row);
        answer = read_plain_row(row, t->numbers + i * N_NUMBERS, t->codes + i * N_CATEGORIES);
        Py_DECREF(row);
    }
    return answer;
}

/* Doubles, in one dimension or two. */
static int read_buffer(PyObject *rows, struct table *t, int *one)
{
    Py_buffer view;
    Py_ssize_t i, j, n;
    int answer = 1;
    if (N_CATEGORIES > 0 || !PyObject_CheckBuffer(rows) || PyBytes_Check(rows))
        return 1;
    if (PyObject_GetBuffer(rows, &view, PyBUF_STRIDES | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return 1;
    }
    if ((view.ndim == 1 || view.ndim == 2) && view.format != NULL &&
        strcmp(view.format, "d") == 0 && view.shape[view.ndim - 1] == N_COLUMNS) {
        *one = view.ndim == 1;
        n = *one ? 1 : view.shape[0];
        if (PyBuffer_IsContiguous(&view, 'C')) {
            t->n = n;
            t->numbers = (double *)view.buf;
            t->codes = t->few_codes;
            t->view = view;
            return 0;
        }
        answer = make_room(t, n);
        for (i = 0; i < n && answer == 0; i++)
            for (j = 0; j < N_COLUMNS; j++) {
                const char *from = (const char *)view.buf + (*one ? 0 : i * view.strides[0]);
                memcpy(&t->numbers[i * N_NUMBERS + j], from + j * view.strides[view.ndim - 1],
                    sizeof(double));
            }
    }
    PyBuffer_Release(&view);
    return answer;
}

/* Rows of other forms, and those with a mistake: Python reads them, or says what is wrong. */
static int read_others(PyObject *rows, struct table *t, int *one)
{
    PyObject *listed, *found = PyObject_CallFunctionObjArgs(python_rows, rows, NULL);
    int answer;
    if (found == NULL)
        return -1;
    if (!PyArg_ParseTuple(found, "Op", &listed, one)) {
        Py_DECREF(found);
        return -1;
    }
    if (PyList_CheckExact(listed))
        answer = read_rows(listed, t);
    else {
        int other;
        answer = read_buffer(listed, t, &other);
    }
    if (answer == 1) {
        PyErr_SetString(PyExc_RuntimeError, "Rows changed while they were read.");
        answer = -1;
    }
    Py_DECREF(found);
    return answer;
}

static int read_table(PyObject *rows, struct table *t, int *one)
{
    int answer = 1;
    t->view.obj = NULL;
    t->numbers = t->few_numbers;
    t->codes = t->few_codes;
    t->n = 1;
    *one = 1;
    if (PyDict_CheckExact(rows)) {
        answer = make_room(t, 1) < 0 ? -1 : read_dict(rows, t->numbers, t->codes);
    } else if (PyList_CheckExact(rows) || PyTuple_CheckExact(rows)) {
        const Py_ssize_t n = PySequence_Fast_GET_SIZE(rows);
        PyObject *first = n > 0 ? PySequence_Fast_GET_ITEM(rows, 0) : NULL;
        if (first != NULL && is_plain_row(first)) {
            *one = 0;
            answer = read_rows(rows, t);
        } else if (first != NULL && (PyFloat_CheckExact(first) || PyUnicode_CheckExact(first) ||
                                     PyLong_CheckExact(first) || first == Py_None)) {
            answer = make_room(t, 1) < 0
                ? -1
                : read_list(rows, t->numbers, t->codes);
        }
    } else {
        answer = read_buffer(rows, t, one);
    }
    if (answer == 1) {
        give_back(t);
        t->view.obj = NULL;
        t->numbers = t->few_numbers;
        t->codes = t->few_codes;
        answer = read_others(rows, t, one);
    }
    if (answer < 0)
        give_back(t);
    return answer;
}

/* --- answers --- */

/* 0, or -1 with an error set, also where the source refuses a row: of `rows`, unless NULL. */
static int answer_rows(const struct table *t, double *out, PyObject *rows)
{
    ptrdiff_t refused;
    if (t->n >= ROWS_WITHOUT_GIL) {
        Py_BEGIN_ALLOW_THREADS
        refused = predict_rows((size_t)t->n, t->numbers, t->codes, out);
        Py_END_ALLOW_THREADS
    } else {
        refused = predict_rows((size_t)t->n, t->numbers, t->codes, out);
    }
    if (refused < 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (refused > 0 && rows != NULL) {
        PyObject *error = PyObject_CallFunction(python_refused, "On", rows, refused - 1);
        if (error != NULL)
            PyErr_SetObject(PyExc_ValueError, error);
        Py_XDECREF(error);
        return -1;
    }
    return 0;
}

#define AS_OUTPUTS 0
#define AS_LABELS 1

static PyObject *one_answer(const double *out, int what)
{
    PyObject *list;
    Py_ssize_t j;
    if (what == AS_LABELS && class_labels != Py_None) {
        PyObject *label = PyList_GET_ITEM(class_labels, best_class(out));
        Py_INCREF(label);
        return label;
    }
    if (N_OUTPUTS == 1 && ONE_NUMBER)
        return PyFloat_FromDouble(out[0]);
    list = PyList_New(N_OUTPUTS);
    for (j = 0; list != NULL && j < N_OUTPUTS; j++) {
        PyObject *value = PyFloat_FromDouble(out[j]);
        if (value == NULL) {
            Py_CLEAR(list);
            return NULL;
        }
        PyList_SET_ITEM(list, j, value);
    }
    return list;
}

static PyObject *answer_bytes(const struct table *t, PyObject *rows)
{
    PyObject *bytes = PyByteArray_FromStringAndSize(
        NULL, t->n * N_OUTPUTS * (Py_ssize_t)sizeof(double));
    if (bytes != NULL &&
        answer_rows(t, (double *)(void *)PyByteArray_AS_STRING(bytes), rows) < 0)
        Py_CLEAR(bytes);
    return bytes;
}

static PyObject *many_answers(const struct table *t, PyObject *rows, int what)
{
    PyObject *answer, *bytes = answer_bytes(t, rows);
    if (bytes == NULL)
        return NULL;
    answer = PyObject_CallFunction(python_finish, "Oni", bytes, t->n, what);
    Py_DECREF(bytes);
    return answer;
}

static PyObject *answer_to(PyObject *rows, int what)
{
    struct table t;
    int one;
    PyObject *answer = NULL;
    if (read_table(rows, &t, &one) < 0)
        return NULL;
    if (one && N_OUTPUTS <= FEW_COLUMNS) {
        double out[N_OUTPUTS <= FEW_COLUMNS ? N_OUTPUTS : 1];
        if (answer_rows(&t, out, rows) == 0)
            answer = one_answer(out, what);
    } else if (one) {
        double *out = PyMem_New(double, N_OUTPUTS);
        if (out == NULL)
            PyErr_NoMemory();
        else if (answer_rows(&t, out, rows) == 0)
            answer = one_answer(out, what);
        PyMem_Free(out);
    } else {
        answer = many_answers(&t, rows, what);
    }
    give_back(&t);
    return answer;
}

/* --- functions --- */

#if N_CLASSES > 0
static PyObject *scores_of(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    (void)self;
    if (n != 1)
        return PyErr_Format(PyExc_TypeError, SCORES_NAME "() takes one argument, rows. Got %zd.", n);
    return answer_to(arguments[0], AS_OUTPUTS);
}
#endif

static PyObject *predict(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    (void)self;
    if (n != 1)
        return PyErr_Format(PyExc_TypeError, "predict() takes one argument, rows. Got %zd.", n);
    return answer_to(arguments[0], AS_LABELS);
}

/* Columns -> bytes of the answers, NaN where the source refuses a row; to check the file with. */
static PyObject *outputs_of(PyObject *self, PyObject *const *arguments, Py_ssize_t n_arguments)
{
    struct table t;
    PyObject *answer = NULL;
    Py_ssize_t i, n = n_arguments == N_COLUMNS ? PyObject_Size(arguments[0]) : -1;
    int column, failed = 0;
    (void)self;
    if (n < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "_outputs() takes all columns.");
        return NULL;
    }
    if (make_room(&t, n) < 0) {
        give_back(&t);
        return NULL;
    }
    for (column = 0; column < N_COLUMNS && !failed; column++) {
        const int place = columns[column].place;
        Py_buffer view;
        if (columns[column].kind == CATEGORY) {
            PyObject *list = arguments[column];
            failed = !PyList_CheckExact(list) || PyList_GET_SIZE(list) != n;
            for (i = 0; i < n && !failed; i++)
                failed = PyList_GET_SIZE(list) != n ||
                    read_category(
                        PyList_GET_ITEM(list, i), column, &t.codes[i * N_CATEGORIES + place]) < 0;
            continue;
        }
        failed = PyObject_GetBuffer(arguments[column], &view, PyBUF_CONTIG_RO | PyBUF_FORMAT) < 0;
        if (failed)
            break;
        failed = view.len != n * (Py_ssize_t)sizeof(double);
        for (i = 0; i < n && !failed; i++)
            t.numbers[i * N_NUMBERS + place] = ((const double *)view.buf)[i];
        PyBuffer_Release(&view);
    }
    if (!failed)
        answer = answer_bytes(&t, NULL);
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "Columns must be lists or doubles of one length.");
    give_back(&t);
    return answer;
}

static PyMethodDef functions[] = {
#if N_CLASSES > 0
    {SCORES_NAME, (PyCFunction)(void (*)(void))scores_of, METH_FASTCALL,
        SCORES_NAME "($module, rows, /)\n--\n\n" SCORES_DOC},
#endif
    {"predict", (PyCFunction)(void (*)(void))predict, METH_FASTCALL,
        "predict($module, rows, /)\n--\n\n" PREDICT_DOC},
    {"_outputs", (PyCFunction)(void (*)(void))outputs_of, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* --- the module --- */

static PyObject *texts_to_codes(const struct text *keys, int n)
{
    PyObject *codes = PyDict_New();
    int i;
    for (i = 0; codes != NULL && i < n; i++) {
        PyObject *text = PyUnicode_DecodeUTF8(
            keys[i].bytes, (Py_ssize_t)keys[i].length, "surrogatepass");
        PyObject *code = PyLong_FromLong(i + 2);
        if (text == NULL || code == NULL || PyDict_SetItem(codes, text, code) < 0)
            Py_CLEAR(codes);
        Py_XDECREF(text);
        Py_XDECREF(code);
    }
    return codes;
}

/* Pairs of name and kind, as the Python code takes them; fills `names` too. */
static PyObject *list_columns(void)
{
    static const char *const kinds[] = {"number", "category", "datetime", "timedelta", "unread"};
    PyObject *list = PyList_New(N_COLUMNS);
    int i;
    for (i = 0; list != NULL && i < N_COLUMNS; i++) {
        PyObject *pair;
        names[i] = PyUnicode_DecodeUTF8(
            columns[i].name.bytes, (Py_ssize_t)columns[i].name.length, "surrogatepass");
        if (names[i] == NULL) {
            Py_CLEAR(list);
            return NULL;
        }
        PyUnicode_InternInPlace(&names[i]);
        pair = Py_BuildValue("Os", names[i], kinds[columns[i].kind]);
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

/* Run the Python part in a namespace of its own, and keep what is needed of it. */
static int run_python(PyObject *namespace, PyObject *input)
{
    PyObject *done, *found;
    int i;
    if (PyDict_SetItemString(namespace, "__builtins__", PyEval_GetBuiltins()) < 0 ||
        PyDict_SetItemString(namespace, "INPUT", input) < 0)
        return -1;
    done = PyRun_String(python_source, Py_file_input, namespace, namespace);
    if (done == NULL)
        return -1;
    Py_DECREF(done);
    python_rows = PyDict_GetItemString(namespace, "rows_in_python");
    python_refused = PyDict_GetItemString(namespace, "refused");
    python_finish = PyDict_GetItemString(namespace, "finished");
    class_labels = PyDict_GetItemString(namespace, "CLASSES");
    found = PyDict_GetItemString(namespace, "COLUMN_READERS");
    if (python_rows == NULL || python_refused == NULL || python_finish == NULL ||
        class_labels == NULL || found == NULL || !PyList_CheckExact(found) ||
        PyList_GET_SIZE(found) != N_COLUMNS) {
        PyErr_SetString(PyExc_ImportError, "This module is damaged. Export the model again.");
        return -1;
    }
    for (i = 0; i < N_COLUMNS; i++) {
        readers[i] = PyList_GET_ITEM(found, i);
        Py_INCREF(readers[i]);
    }
    Py_INCREF(python_rows);
    Py_INCREF(python_refused);
    Py_INCREF(python_finish);
    Py_INCREF(class_labels);
    return 0;
}

static int start_module(PyObject *module)
{
    PyObject *namespace = PyDict_New(), *input = list_columns(), *column_names;
    int i, failed = namespace == NULL || input == NULL;
    for (i = 0; i < N_COLUMNS && !failed; i++)
        if (columns[i].kind == CATEGORY) {
            const int place = columns[i].place;
            codes_of[i] = texts_to_codes(category_keys[place].texts, category_keys[place].n);
            failed = codes_of[i] == NULL;
        }
    failed = failed || run_python(namespace, input) < 0;
    column_names = failed ? NULL : PyList_New(N_COLUMNS);
    for (i = 0; i < N_COLUMNS && column_names != NULL; i++) {
        Py_INCREF(names[i]);
        PyList_SET_ITEM(column_names, i, names[i]);
    }
    failed = failed || column_names == NULL ||
        PyObject_SetAttrString(module, "COLUMNS", column_names) < 0 ||
        PyModule_AddIntConstant(module, "N_OUTPUTS", N_OUTPUTS) < 0 ||
        (class_labels != Py_None && PyObject_SetAttrString(module, "CLASSES", class_labels) < 0);
    Py_XDECREF(column_names);
    Py_XDECREF(namespace);
    Py_XDECREF(input);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)start_module},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, NULL, MODULE_DOC, 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC STACKENS_JOIN(PyInit_, STACKENS_PYTHON)(void)
{
    return PyModuleDef_Init(&definition);
}
