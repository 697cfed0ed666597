const metrics: Record<string, string> = {
  map_iou: 'Mean average precision over IoU', roc_auc: 'ROC AUC', rmse: 'RMSE', mae: 'MAE', mcc: 'Matthews correlation', f1: 'F1', r2: 'R²', rmsle: 'RMSLE', dice: 'Dice',
};

/** metricName is a metric as people say it: "log_loss" is "Log loss". */
export function metricName(metric: string): string {
  const known = metrics[metric];
  if (known) return known;
  const words = metric.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** sentence begins with a capital letter; the daemon's messages do not, since programs put words before them. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
