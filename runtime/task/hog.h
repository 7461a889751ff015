// SPDX-License-Identifier: MIT
// Tasks that keep their VM for long: what is known of them, in words.
#ifndef WF_TASK_HOG_H
#define WF_TASK_HOG_H

#include "sched/runtime.h"

// wf_hooks.peek_hog, say_hog and report_hog.
void wf_hog_peek(wf_vm *vm, const struct wf_task *task, wf_hog *hog);
void wf_hog_say(wf_runtime *rt, const wf_hog *hog);
void wf_hog_report(wf_vm *vm, const wf_hog *hog);

#endif
