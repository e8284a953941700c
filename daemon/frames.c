/* Receiving messages. */
#include "daemon/frames.h"

bool frames_receive(void *socket, zmq_msg_t frames[FRAMES_MAX], size_t *count) {
    *count = 0;
    for (bool more = true; more; (*count)++) {
        zmq_msg_t *frame = &frames[*count < FRAMES_MAX ? *count : FRAMES_MAX - 1];
        /* The later frames of a message are there when its first one is. */
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) return false;
        more = zmq_msg_more(frame);
    }
    return true;
}
