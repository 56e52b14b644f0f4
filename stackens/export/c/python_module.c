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

/* The text of the Python part; C99 knows no string as long as that. */
static PyObject *joined_source(void)
{
    PyObject *bytes = PyBytes_FromString("");
    size_t i;
    for (i = 0; i < sizeof(python_source) / sizeof(python_source[0]) && bytes != NULL; i++)
        PyBytes_ConcatAndDel(&bytes, PyBytes_FromString(python_source[i]));
    return bytes;
}

/* Run the Python part in a namespace of its own, and keep what is needed of it. */
static int run_python(PyObject *namespace, PyObject *input)
{
    PyObject *source, *done, *found;
    int i;
    if (PyDict_SetItemString(namespace, "__builtins__", PyEval_GetBuiltins()) < 0 ||
        PyDict_SetItemString(namespace, "INPUT", input) < 0)
        return -1;
    source = joined_source();
    if (source == NULL)
        return -1;
    done = PyRun_String(PyBytes_AS_STRING(source), Py_file_input, namespace, namespace);
    Py_DECREF(source);
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

#if defined(__GNUC__)
#define SLOT(function) __extension__(void *)function /* as Python wants it, which C99 does not */
#else
#define SLOT(function) (void *)function
#endif

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, SLOT(start_module)},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, NULL, MODULE_DOC, 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC STACKENS_JOIN(PyInit_, STACKENS_PYTHON)(void)
{
    return PyModuleDef_Init(&definition);
}
