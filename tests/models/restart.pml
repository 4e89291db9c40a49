/* A backend that is killed at any step, at most KILLS times, and attaches again at the shared rsp_prod
   (BackRing::attach). Claims: the frontend gets all its responses, no request is lost, a request is served twice
   at most once for each kill, and what is taken for a request is one: its slot is where its response goes, so a backend
   keeps the response elsewhere first, for the next one to publish (BackRing::answer).

   Its event channel is unbound while the backend is dead: what is notified until it has attached may be lost. */
#define N 3 /* requests that the frontend sends */
#define R 2 /* slots in the ring */
#define KILLS 2
#define M 16
#define SUB(a, b) (((a) + M - (b)) % M)

byte req_prod, req_event = 1, rsp_prod, rsp_event = 1;
bool pending_front, pending_back;
bool answered[R]; /* the slot holds a response */
byte kept_from = M; /* index of the response that is being given */
byte got, kills, served[N];

active proctype frontend() {
  byte prod, cons, sent, from;
  do
  :: (sent < N && SUB(prod, cons) < R) ->
     from = prod; answered[prod % R] = false; prod++; sent++;
     req_prod = prod;
     if
     :: SUB(prod, req_event) < SUB(prod, from) -> pending_back = true
     :: else
     fi
  :: else ->
     do
     :: cons != rsp_prod -> assert(answered[cons % R]); cons++; got++
     :: else -> break
     od;
     if
     :: got == N -> break
     :: (sent < N && SUB(prod, cons) < R)
     :: else ->
        rsp_event = cons + 1;
        if
        :: rsp_prod != cons
        :: else -> (pending_front); pending_front = false
        fi
     fi
  od
}

#define MAY_BE_KILLED \
  if \
  :: kills < KILLS -> kills++; pending_back = false; goto attach \
  :: true \
  fi

active proctype backend() {
  byte cons, prod, from;
attach:
  prod = rsp_prod; cons = prod;
  if
  :: kept_from == prod -> answered[prod % R] = true;
     MAY_BE_KILLED;
     prod++; cons++; rsp_prod = prod
  :: else
  fi;
#ifndef NO_SCAN
  pending_back = true; /* looks once: the frontend's event may be lost */
#endif
#ifndef NO_KICK
  pending_front = true; /* wakes the frontend once: so may the killed one's */
#endif
end:
  do
  :: (pending_back) -> pending_back = false;
     MAY_BE_KILLED;
again:
     do
     :: cons != req_prod ->
        assert(!answered[cons % R]);
        served[cons]++; cons++;
        MAY_BE_KILLED; /* before the response */
#ifndef NO_KEPT
        kept_from = prod;
#endif
        MAY_BE_KILLED;
        from = prod; answered[prod % R] = true;
        MAY_BE_KILLED; /* before it is published */
        prod++;
        rsp_prod = prod;
        MAY_BE_KILLED; /* before the notification */
        if
        :: SUB(prod, rsp_event) < SUB(prod, from) -> pending_front = true
        :: else
        fi;
        MAY_BE_KILLED
     :: else -> break
     od;
     req_event = cons + 1;
     MAY_BE_KILLED; /* before the second look */
     if
     :: cons != req_prod -> goto again
     :: else
     fi
  od
}

active proctype monitor() {
end:
  (got == N) ->
  assert(served[0] >= 1 && served[1] >= 1 && served[2] >= 1);
  assert(served[0] + served[1] + served[2] <= N + kills)
}
