// Times llama.cpp from within: answers each line of standard input with one line of JSON.
// Arguments: model, library of the CPU backend, threads.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ggml-backend.h"
#include "llama.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void quiet(enum ggml_log_level level, const char *text, void *data) {}

// The same made-up tokens as smollm2.py reads.
static void prompt(llama_token *tokens, int n) {
  for (int i = 0; i < n; i++) tokens[i] = 100 + i * 7919 % 40000;
}

int main(int argc, char **argv) {
  llama_log_set(quiet, NULL);
  if (argc < 4 || !ggml_backend_load(argv[2])) {
    fprintf(stderr, "this processor can't run that backend of llama.cpp\n");
    return 1;
  }
  int threads = atoi(argv[3]);
  struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (!model) return 2;
  struct llama_context_params settings = llama_context_default_params();
  settings.n_ctx = 1024;
  settings.n_threads = settings.n_threads_batch = threads;
  struct llama_context *context = llama_init_from_model(model, settings);
  int size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    llama_token tokens[512];
    int reads = strstr(line, "prefill") ? 128 : 5, says = strstr(line, "decode") ? 64 : 0;
    prompt(tokens, reads);
    llama_memory_clear(llama_get_memory(context), true);
    double start = now();
    if (llama_decode(context, llama_batch_get_one(tokens, reads))) return 3;
    float *scores = llama_get_logits_ith(context, -1);
    double rate = reads / (now() - start);
    start = now();
    for (int i = 0; i < says; i++) {
      llama_token best = 0;
      for (int j = 1; j < size; j++) best = scores[j] > scores[best] ? j : best;
      if (llama_decode(context, llama_batch_get_one(&best, 1))) return 3;
      scores = llama_get_logits_ith(context, -1);
    }
    if (says) rate = says / (now() - start);
    printf("{\"rate\": %.9g, \"scores\": [", rate);
    for (int j = 0; j < 2000; j++) printf("%s%.6g", j ? ", " : "", scores[j]);
    printf("]}\n");
    fflush(stdout);
  }
  return 0;
}
