/* wait.h - what the HTTP library waits for and reads on the sockets of its connections,
 * seen and amended. Private to http/.
 *
 * It hears of a client only by reading, and what it reads while an answer is awaited ends
 * the request: so a client that has nothing more to say, and says so by closing its
 * sending side, would not be answered. And it tells nobody when the first byte of a
 * request has come, when what it read is more than one request, and when a handshake has
 * ended. All of it is known where it waits and reads. */
#ifndef REDRESS_HTTP_WAIT_H
#define REDRESS_HTTP_WAIT_H

#include "http/listen.h"

/* From now on the socket is this visitor's; NULL: nobody's any more. On the thread that
 * polls it. Of sockets with numbers from SERVER_DESCRIPTOR_COUNT on nothing is known:
 * they are left to the library. */
void wait_know(int socket, struct visitor *visitor);

#endif
