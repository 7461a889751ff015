// SPDX-License-Identifier: MIT
#include "task/wait.h"

static const char *const reason_names[] = {
    [WF_WAIT_NONE] = "waiting",        [WF_WAIT_CHAN_RECV] = "chan receive",
    [WF_WAIT_CHAN_SEND] = "chan send", [WF_WAIT_SELECT] = "select",
    [WF_WAIT_SLEEP] = "sleep",         [WF_WAIT_MUTEX] = "mutex",
    [WF_WAIT_RWMUTEX] = "rwmutex",     [WF_WAIT_COND] = "cond",
    [WF_WAIT_WAITGROUP] = "waitgroup", [WF_WAIT_SEMAPHORE] = "semaphore",
    [WF_WAIT_ONCE] = "once",           [WF_WAIT_AWAIT] = "await",
    [WF_WAIT_BLOCKING] = "blocking",   [WF_WAIT_IO] = "IO wait",
};

const char *wf_reason_name(wf_reason reason) { return reason_names[reason]; }
