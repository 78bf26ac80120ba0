/* no_openmp.c - in place of libxgboost: all that redress calls of it, and no OpenMP below
 * it. Nothing of it is ever called. */

#define CALL(name)                                                                       \
    int name(void);                                                                      \
    int name(void)                                                                       \
    {                                                                                    \
        return -1;                                                                       \
    }

CALL(XGBGetLastError)
CALL(XGBoostVersion)
CALL(XGBSetGlobalConfig)
CALL(XGDMatrixCreateFromMat)
CALL(XGProxyDMatrixCreate)
CALL(XGProxyDMatrixSetDataDense)
CALL(XGQuantileDMatrixCreateFromCallback)
CALL(XGDMatrixSetFloatInfo)
CALL(XGDMatrixFree)
CALL(XGBoosterCreate)
CALL(XGBoosterFree)
CALL(XGBoosterSetParam)
CALL(XGBoosterSetStrFeatureInfo)
CALL(XGBoosterUpdateOneIter)
CALL(XGBoosterPredict)
CALL(XGBoosterSaveModelToBuffer)
CALL(XGBoosterLoadModelFromBuffer)
CALL(XGBoosterFeatureScore)
