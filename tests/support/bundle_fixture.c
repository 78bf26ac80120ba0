/* bundle_fixture.c - bundles as one JSON text. */
#include "support/bundle_fixture.h"

const char bundle_small[] =
    "{\"manifest\":{\"format\":\"redress-bundle/1\",\"name\":\"credit_uplift\","
    "\"kind\":\"effect\",\"learner\":\"t\",\"features\":["
    "{\"name\":\"tenure\",\"type\":\"float\",\"missing\":\"refuse\"},"
    "{\"name\":\"issue\",\"type\":\"category\",\"missing\":\"allow\","
    "\"categories\":[\"late\",\"cold\"]},"
    "{\"name\":\"vip\",\"type\":\"bool\"}],"
    "\"arms\":[{\"name\":\"big\",\"dose\":1000},{\"name\":\"small\",\"dose\":400}],"
    "\"components\":["
    "{\"role\":\"mu0\",\"file\":\"mu0.json\"},"
    "{\"role\":\"mu1\",\"arm\":\"small\",\"file\":\"mu1.json\",\"output\":0},"
    "{\"role\":\"mu1\",\"arm\":\"big\",\"file\":\"mu1.json\",\"output\":1},"
    "{\"role\":\"cost\",\"arm\":\"small\",\"file\":\"cost.json\",\"output\":0},"
    "{\"role\":\"cost\",\"arm\":\"big\",\"file\":\"cost.json\",\"output\":1}],"
    "\"value\":{\"scale\":2},"
    "\"examples\":{\"rows\":[[3,\"late\",true],{\"tenure\":1}],"
    "\"effects\":[[64,32],[8,24]]}},"
    "\"files\":{"
    "\"mu0.json\":{\"json\":{\"format\":\"redress-linear/1\","
    "\"features\":[\"tenure\",\"issue\",\"vip\"],\"weights\":[1,0,0],\"intercept\":0}},"
    "\"mu1.json\":{\"text\":\"{\\\"format\\\":\\\"redress-linear/1\\\","
    "\\\"weights\\\":[[3,0,0],[5,0,20]],\\\"intercepts\\\":[10,0]}\"},"
    "\"cost.json\":{\"base64\":\"eyJmb3JtYXQiOiJyZWRyZXNzLWxpbmVhci8xIiwid2VpZ2h0cyI6"
    "W1swLDAsMF0sWzAsMCwwXV0sImludGVyY2VwdHMiOlszMDAsODAwXX0=\"}}}";

const char bundle_s_learner[] =
    "{\"manifest\":{\"format\":\"redress-bundle/1\",\"name\":\"s\",\"learner\":\"s\","
    "\"features\":[{\"name\":\"tenure\",\"type\":\"float\"}],"
    "\"arms\":[{\"name\":\"half\",\"dose\":0.5},{\"name\":\"all\",\"dose\":1}],"
    "\"dose_unit\":\"order_share\",\"treatment\":{\"feature\":\"dose\"},"
    "\"components\":[{\"role\":\"outcome\",\"file\":\"f.json\"}],"
    "\"cost\":{\"share\":0.9},"
    "\"examples\":{\"rows\":[[3]],\"effects\":[[0.25,0.5]]}},"
    "\"files\":{\"f.json\":{\"json\":{\"format\":\"redress-linear/1\","
    "\"features\":[\"tenure\",\"dose\"],\"weights\":[1,0.5],\"intercept\":7}}}}";
