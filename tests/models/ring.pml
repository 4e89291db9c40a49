/* The notification protocol of a shared ring (xen/io/ring.h), both directions, on processors whose stores wait in a
   buffer (x86-TSO). Claim: the frontend gets all its responses, and no ring overflows. SharedRing::publish is
   MB_PUSH and MB_FINAL here, BackRing::final_check and FrontRing::final_check end with RECHECK.

   Indices run modulo M > 2 * R, which keeps the state space finite. */
#define N 4 /* requests that the frontend sends */
#define R 2 /* slots in the ring */
#define M 16
#define SUB(a, b) (((a) + M - (b)) % M)

#define REQ_PROD 0
#define REQ_EVENT 1
#define RSP_PROD 2
#define RSP_EVENT 3

byte shared[4];
bool pending_front, pending_back; /* the event channels */
chan stores_front = [2] of { byte, byte };
chan stores_back = [2] of { byte, byte };

/* Moves one processor's stores to memory, in order, at any time. A processor reads only words that the other one
   writes, so a read needs no look into its own buffer. */
proctype store_buffer(chan stores) {
  byte word, value;
end:
  do
  :: atomic { stores?[word, value] -> stores?word, value; shared[word] = value }
  od
}

inline full_barrier(stores) { (empty(stores)) }

active proctype frontend() {
  byte req_prod, rsp_cons, sent, got, from, event, rsp_prod;
  bool more;
  do
  :: (sent < N && SUB(req_prod, rsp_cons) < R) ->
     from = req_prod; req_prod = (req_prod + 1) % M; sent++;
     stores_front!REQ_PROD, req_prod;
#ifndef NO_MB_PUSH
     full_barrier(stores_front);
#endif
     event = shared[REQ_EVENT];
     if
     :: SUB(req_prod, event) < SUB(req_prod, from) -> pending_back = true
     :: else
     fi
  :: (sent == N || SUB(req_prod, rsp_cons) == R) ->
     rsp_prod = shared[RSP_PROD];
     do
     :: rsp_cons != rsp_prod -> rsp_cons = (rsp_cons + 1) % M; got++
     :: else -> break
     od;
     if
     :: got == N -> break
     :: (sent < N && SUB(req_prod, rsp_cons) < R)
     :: else ->
        stores_front!RSP_EVENT, ((rsp_cons + 1) % M);
#ifndef NO_MB_FINAL
        full_barrier(stores_front);
#endif
#ifndef NO_RECHECK
        rsp_prod = shared[RSP_PROD]; more = (rsp_prod != rsp_cons);
#else
        more = false;
#endif
        if
        :: more
        :: else -> (pending_front); pending_front = false /* sleeps; never woken is an invalid end state */
        fi
     fi
  od
}

active proctype backend() {
  byte req_cons, rsp_prod, from, event, req_prod;
  bool more;
end:
  do
  :: (pending_back) -> pending_back = false;
again:
     req_prod = shared[REQ_PROD];
     do
     :: req_cons != req_prod ->
        assert(SUB(req_prod, rsp_prod) <= R);
        req_cons = (req_cons + 1) % M;
        from = rsp_prod; rsp_prod = (rsp_prod + 1) % M;
        stores_back!RSP_PROD, rsp_prod;
#ifndef NO_MB_PUSH
        full_barrier(stores_back);
#endif
        event = shared[RSP_EVENT];
        if
        :: SUB(rsp_prod, event) < SUB(rsp_prod, from) -> pending_front = true
        :: else
        fi
     :: else -> break
     od;
     stores_back!REQ_EVENT, ((req_cons + 1) % M);
#ifndef NO_MB_FINAL
     full_barrier(stores_back);
#endif
#ifndef NO_RECHECK
     req_prod = shared[REQ_PROD]; more = (req_prod != req_cons);
#else
     more = false;
#endif
     if
     :: more -> goto again
     :: else
     fi
  od
}

init {
  shared[REQ_EVENT] = 1; shared[RSP_EVENT] = 1;
  run store_buffer(stores_front); run store_buffer(stores_back)
}
